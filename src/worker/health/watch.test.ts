import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { MachineError } from '../../machines/engine.js';
import type { EngineHealth } from './engine-health.js';
import { watchProvisioning } from './watch.js';

const INPUT = { args: [], headers: {} } as unknown as ActivityExecuteInput;

function healthOf(isOut: () => boolean) {
  const told: string[] = [];
  const health = {
    isOut,
    machineMade: () => told.push('made'),
    machineNotMade: ({ code }: { code: string }) => told.push(code),
  } as unknown as EngineHealth;
  const execute = watchProvisioning(health)({} as Context).inbound?.execute;
  if (execute === undefined) throw new Error('It watches nothing');
  return { told, provision: (next: () => Promise<unknown>) => execute(INPUT, next) };
}

describe('a provisioning that a poll of before brings', () => {
  it('is not begun on an engine that is out of rotation, and is no failure of it', async () => {
    const { told, provision } = healthOf(() => true);

    await expect(provision(() => expect.unreachable())).rejects.toMatchObject({
      type: 'ENGINE_OUT',
      nonRetryable: false,
      nextRetryDelay: '100ms',
    });
    expect(told).toEqual([]);
  });

  it('goes on, and is told of, on one that is well', async () => {
    const { told, provision } = healthOf(() => false);
    const fault = new MachineError('ENGINE_FAULT', 'no space left on device', { retryable: true });

    await expect(provision(() => Promise.resolve('machine'))).resolves.toBe('machine');
    await expect(provision(() => Promise.reject(fault))).rejects.toBe(fault);
    expect(told).toEqual(['made', 'ENGINE_FAULT']);
  });
});
