import { describe, expect, it } from 'vitest';
import { UnreachableError } from '../client/errors.js';
import { ConfigError, parseConfig } from '../config/load.js';
import { silentLogger } from '../telemetry/logger.js';
import { connectTemporal, untilTemporalAnswers } from './connect-temporal.js';

/** Answers as it is told, and in the end with yes. */
function answering(...failures: Error[]) {
  const asked = { times: 0 };
  const work = () => {
    const failure = failures[asked.times++];
    return failure === undefined ? Promise.resolve('yes') : Promise.reject(failure);
  };
  return { asked, work };
}

function grpcError(code: number): Error {
  return new Error('the call failed', {
    cause: Object.assign(new Error('status'), { code, details: '', metadata: {} }),
  });
}

const options = { logger: silentLogger, firstPauseMs: 1 };

describe('the start of a worker', () => {
  it('waits for a Temporal that is away, comes up, or is busy', async () => {
    const { asked, work } = answering(new UnreachableError('away'), grpcError(14), grpcError(8));

    expect(await untilTemporalAnswers(work, options)).toBe('yes');
    expect(asked.times).toBe(4);
  });

  it.each([
    ['a mistake in the configuration', new ConfigError('no such namespace')],
    ['a refusal', grpcError(7)],
    ['a fault of its own', new Error('no bundle')],
  ])('does not wait for %s to pass', async (_what, error) => {
    const { asked, work } = answering(error);

    await expect(untilTemporalAnswers(work, options)).rejects.toBe(error);
    expect(asked.times).toBe(1);
  });

  it('knows a server that is not there for one that may come', async () => {
    const config = parseConfig({ temporal: { address: '127.0.0.1:1' } }, 'test');

    await expect(connectTemporal(config, {}, 500)).rejects.toThrow(UnreachableError);
  });
});
