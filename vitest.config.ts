import { defineConfig } from 'vitest/config';

// One project per tier: a test's folder says what it may use (see CONTRIBUTING.md).
export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts', 'test/support/**/*.test.ts'], testTimeout: 20_000 } },
      {
        extends: true,
        test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
      },
    ],
  },
});
