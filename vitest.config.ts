import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const MINUTES = 60_000;

/** One project per tier: a test's folder says what it may use (see CONTRIBUTING.md). */
function tier(name: string, include: string[], testTimeout: number) {
  return { extends: true as const, test: { name, include, testTimeout, hookTimeout: 2 * MINUTES } };
}

/** Files that take minutes, the longest first: begun last, they would run on alone. */
const LONG = ['temporal-away', 'soak-', 'worker-paused', 'servers', 'engine-', 'canceled-away', 'worker-host'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = LONG.findIndex((beginning) => moduleId.includes(`/faults/${beginning}`));
      return rank === -1 ? LONG.length : rank;
    };
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    // Tests of one file that run at once: as many as test/gitlab has GitLabs.
    maxConcurrency: 10,
    sequence: { sequencer: LongestFirst },
    projects: [
      tier(
        'unit',
        ['src/**/*.test.ts', 'test/support/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
        20_000,
      ),
      tier('workflow', ['test/workflow/**/*.test.ts'], MINUTES),
      tier('replay', ['test/replay/**/*.test.ts'], MINUTES),
      tier('integration', ['test/integration/**/*.test.ts'], 2 * MINUTES),
      tier('gitlab', ['test/gitlab/**/*.test.ts'], 5 * MINUTES),
      tier('web', ['test/web/**/*.test.ts'], 3 * MINUTES),
      tier('faults-short', ['test/faults-short/**/*.test.ts'], 3 * MINUTES),
      // Not part of `npm test`: `npm run test:faults`.
      tier('faults', ['test/faults/**/*.test.ts', 'test/faults-long/**/*.test.ts'], 10 * MINUTES),
    ],
  },
});
