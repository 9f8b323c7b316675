import { expect, it } from 'vitest';
import { silentLogger } from '../telemetry/logger.js';
import { serveUntilStopped, type TaskWorker } from './serve.js';

/** A worker that tells of its end. */
function worker(name: string, told: string[]): TaskWorker {
  let state: ReturnType<TaskWorker['getState']> = 'INITIALIZED';
  let over: (() => void) | undefined;
  return {
    run() {
      state = 'RUNNING';
      return new Promise<void>((resolve) => (over = resolve));
    },
    shutdown() {
      state = 'STOPPED';
      told.push(`${name} stops`);
      over?.();
    },
    getState: () => state,
  };
}

function setup() {
  const told: string[] = [];
  const stop = {
    first: Promise.resolve('drain' as const),
    handover: new Promise<void>(() => undefined),
  };
  const options = {
    stop,
    startSources: () => Promise.resolve(),
    stopSources: () => Promise.resolve(),
    takeIn: () => {
      told.push('the last jobs are taken in');
      return Promise.resolve();
    },
    drained: () => {
      told.push('the jobs end');
      return Promise.resolve();
    },
    handOver: () => undefined,
    logger: silentLogger,
  };
  const groups = { intake: [worker('intake', told)], serving: [worker('serving', told)] };
  return { told, options, groups };
}

it('withdraws the polls for jobs at once in a drain, though a source still waits for an answer', async () => {
  const { told, options, groups } = setup();
  let answer: (() => void) | undefined;
  const sources = new Promise<void>((resolve) => (answer = resolve));
  const served = serveUntilStopped(groups, {
    ...options,
    stopSources: (reason) => {
      if (reason === 'drain') setImmediate(() => told.push('the source has its answer') && answer?.());
      return sources;
    },
  });

  await served;

  expect(told).toEqual([
    'intake stops',
    'the source has its answer',
    'the last jobs are taken in',
    'the jobs end',
    'serving stops',
  ]);
});

it('cuts a drain short when a hand-over is asked for', async () => {
  const { told, options, groups } = setup();
  let handOver: (() => void) | undefined;
  const handover = new Promise<void>((resolve) => (handOver = resolve));

  await serveUntilStopped(groups, {
    ...options,
    stop: { ...options.stop, handover },
    drained: (signal) => {
      handOver?.();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  });

  expect(told).toEqual(['intake stops', 'the last jobs are taken in', 'serving stops']);
});
