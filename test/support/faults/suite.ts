import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../stack.js';
import { brokenPromises, figuresTable, writeFigures } from './report.js';
import { playScenario, type Figures, type Scenario } from './scenario.js';

/** A test a scenario, one after another on one stack, and the figures of all at the end. */
export function faultSuite(
  group: string,
  scenarios: readonly Scenario[],
  start: () => Promise<Stack> = startStack,
): void {
  describe(`${group}: nothing is lost, run twice or left behind`, () => {
    let stack: Stack;
    const figures: Figures[] = [];

    beforeAll(async () => {
      stack = await start();
    });

    afterAll(async () => {
      await stack.close();
      writeFigures(group, figures);
      process.stdout.write(`\n${figuresTable(figures)}\n`);
    });

    for (const scenario of scenarios) {
      it(scenario.name, async () => {
        const result = await playScenario(stack, scenario);
        figures.push(result);

        expect(brokenPromises(result, scenario)).toEqual([]);
      });
    }
  });
}
