import { describe, expect, it } from 'vitest';
import { expandMarks } from './payload.js';
import { loadScenarios, readScenario } from './scenario.js';

describe('scenarios as data', () => {
  it('reads all that there are, each with a name of its own', () => {
    const scenarios = loadScenarios('test/gitlab/scenarios');
    const names = scenarios.map(({ area, name }) => `${area}: ${name}`);

    expect(scenarios.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
  });

  it('names the file and the key that it does not know', () => {
    const text = 'name: A job that is a sentence\nexpect:\n  statuss: success\n';
    expect(() => readScenario(text, 'results/x.yaml', 'results')).toThrow(/results\/x\.yaml.*statuss/s);
  });

  it('leaves what breaks others to scenarios that are alone', () => {
    for (const scenario of loadScenarios('test/gitlab/scenarios').filter(({ alone }) => !alone)) {
      const actions = scenario.plays.flatMap((play) => [...play.before, ...play.actions]);
      const breaking = actions.filter((action) => ['worker', 'temporal', 'prometheus'].some((key) => key in action));
      expect(breaking, scenario.file).toEqual([]);
    }
  });

  it('makes marks and waits of a script into commands on files of the job', () => {
    expect(expandMarks('@mark started; @await go', 'k1')).toBe(
      'echo made >>/shared/k1.started; until [ -e /shared/k1.go ]; do sleep 0.1; done',
    );
  });
});
