import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const restrict = (...patterns) => ({
  '@typescript-eslint/no-restricted-imports': ['error', { patterns }],
});

export default tseslint.config(
  { ignores: ['dist', 'node_modules', '.holdfast', 'coverage', 'test-output'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `return logger.warn(…)` and a delay as a loop's last part are plain enough.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Wrong where a closure changes the value, and where a library's types promise more than it keeps.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A `default` is a decision about the rest.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Traces are full of them.
      'no-control-regex': 'off',
      // Node's streams come from libraries that type them as an older interface.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'max-lines': ['warn', { max: 350, skipBlankLines: true, skipComments: true }],
      complexity: ['warn', 15],
    },
  },
  // The rooms of docs/architecture.md, held by lint.
  {
    files: ['src/{trace,machines,gitlab,metrics,store,telemetry,shell,job,config,codec}/**/*.ts'],
    ignores: ['src/**/*.test.ts', 'src/codec/**'],
    rules: restrict({ regex: '^@temporalio/', message: 'This room knows no Temporal.' }),
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/machines/docker/**', 'src/**/*.test.ts'],
    rules: restrict({ regex: '^dockerode', message: 'Docker lives behind machines/docker.' }),
  },
  {
    files: ['src/workflows/**/*.ts'],
    rules: restrict({
      regex: '^(node:|undici|dockerode|pino)',
      message: 'Workflow code runs in the sandbox: no Node, no I/O.',
    }),
  },
  {
    files: ['**/*.{js,mjs}'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        Buffer: 'readonly',
        AbortSignal: 'readonly',
        performance: 'readonly',
      },
    },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: {
      'max-lines': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // expect.objectContaining and its kind are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-deprecated': 'off',
    },
  },
);
