import { expect, it } from 'vitest';
import { READ_ANEW } from '../contracts/names.js';
import { askStatus } from './ask-status.js';

/** Answers with each of these in turn: an error is thrown. */
function workflow(...answers: unknown[]) {
  let asked = 0;
  return {
    asked: () => asked,
    query: () => {
      const answer = answers[asked++];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
    },
  };
}

const readAnew = new Error(READ_ANEW);

it('asks again what a worker could not say since it reads the workflow anew', async () => {
  expect(await askStatus(workflow(readAnew, { state: 'running' }))).toEqual({ state: 'running' });
});

it('does not ask for ever', async () => {
  const handle = workflow(readAnew, readAnew, readAnew, readAnew);

  await expect(askStatus(handle)).rejects.toThrow(READ_ANEW);
  expect(handle.asked()).toBe(3);
});

it('tells any other error at once', async () => {
  const handle = workflow(new Error('the deadline is over'), { state: 'running' });

  await expect(askStatus(handle)).rejects.toThrow('the deadline is over');
  expect(handle.asked()).toBe(1);
});
