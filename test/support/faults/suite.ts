import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leftoversOf } from './examine.js';
import { startGround, type Ground } from './ground.js';
import { playScenario } from './play.js';
import { failedFigures, figuresTable, skippedFigures, writeFigures } from './report.js';
import type { Figures, Scenario } from './scenario.js';

export interface SuiteOptions {
  start?: () => Promise<Ground>;
  /** The scenarios break nothing that another one's job stands on: all at once, as many as the engine has slots. */
  together?: boolean;
}

/** A test a scenario, all on one stack, and the figures of all at the end. */
export function faultSuite(group: string, scenarios: readonly Scenario[], options: SuiteOptions = {}): void {
  describe(`${group}: nothing is lost, run twice or left behind`, () => {
    let ground: Ground;
    const figures: Figures[] = [];

    beforeAll(async () => {
      ground = await (options.start ?? startGround)();
    });

    afterAll(async () => {
      const leftovers = await leftoversOf(ground.stack);
      await ground.close();
      writeFigures(group, figures);
      process.stdout.write(`\n${figuresTable(figures)}\n`);
      expect(leftovers).toBe(0);
    });

    for (const scenario of scenarios) {
      const test = options.together === true ? it.concurrent : it;
      test(scenario.name, async ({ skip }) => {
        const reason = scenario.cannot?.();
        if (reason !== undefined) {
          figures.push(skippedFigures(scenario, reason));
          process.stdout.write(`\nSKIPPED ${scenario.name}: ${reason}\n`);
          skip(reason);
        }
        const result = await playScenario(ground, scenario, options.together !== true).catch((error: unknown) => {
          figures.push(failedFigures(scenario, error));
          throw error;
        });
        figures.push(result);

        expect(result.broken.join('\n')).toBe('');
      });
    }
  });
}
