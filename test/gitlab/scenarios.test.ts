import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLanes, type Lanes } from '../support/gitlab/lanes.js';
import { playScenario } from '../support/gitlab/play.js';
import { loadScenarios, type Scenario } from '../support/gitlab/scenario.js';
import { LANE_KINDS } from './lane-kinds.js';

const scenarios = loadScenarios('test/gitlab/scenarios');
let lanes: Lanes;

beforeAll(async () => {
  lanes = await startLanes(LANE_KINDS);
});

afterAll(() => lanes.close());

async function play(scenario: Scenario): Promise<void> {
  const problems = await lanes.use(scenario.entry, (lane) => playScenario(scenario, lane, lanes.stack));
  expect(problems, scenario.file).toEqual([]);
}

function titled(alone: boolean) {
  return scenarios.filter((each) => each.alone === alone).map((each) => [each.area, each.name, each] as const);
}

describe.concurrent('with a GitLab', () => {
  it.for(titled(false))('%s: %s', async ([, , scenario]) => play(scenario));
});

describe.runIf(titled(true).length > 0)('with a GitLab, while what they share breaks', () => {
  it.for(titled(true))('%s: %s', async ([, , scenario]) => play(scenario));
});
