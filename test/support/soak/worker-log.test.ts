import { expect, it } from 'vitest';
import { errorsOf } from './worker-log.js';

it('finds errors and stacks of uncaught ones in the log of workers, each kind once', () => {
  const log = [
    '{"level":"info","msg":"Worker is running"}',
    '{"level":"error","msg":"It broke","error":{"stack":"Error\\n    at here (file.js:1:2)"}}',
    '{"level":"error","msg":"It broke"}',
    'Error: nobody',
    '    at Object.run (file:///dist/worker.js:10:3)',
    '{"level":"warn","msg":"cut o',
  ].join('\n');

  expect(errorsOf(log)).toEqual([
    '2 times in the log of a worker: error "It broke"',
    '1 times in the log of a worker: nobody has caught an error, at Object.run (file:///dist/worker.js:10:3)',
  ]);
});

it('takes the end of a paused workflow task for what it is', () => {
  const error = { message: 'Script execution timed out after 5000ms', stack: 'Error' };

  expect(errorsOf(JSON.stringify({ level: 'error', msg: 'Failed to process Workflow Activation', error }))).toEqual([]);
});
