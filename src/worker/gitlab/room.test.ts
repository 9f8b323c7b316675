import { describe, expect, it } from 'vitest';
import { createRoom, type OpenJob } from './room.js';

const ENTRY = { name: 'main', limit: 3 };
const NEVER = new AbortController().signal;

function setup(given: { free: number[]; open?: OpenJob[] }) {
  const world = { nowMs: 1_000_000, free: given.free, open: given.open ?? [], out: new Set<number>() };
  const room = createRoom({
    engines: given.free.map((_, index) => ({
      freeSlots: () => Promise.resolve(world.free[index] ?? 0),
      isOut: () => world.out.has(index),
    })),
    openJobs: () => Promise.resolve(world.open),
    now: () => world.nowMs,
  });
  return { world, room, hasRoom: (inHand = 0) => room.hasRoomFor(ENTRY, inHand, NEVER) };
}

const open = (id: string, given: Partial<OpenJob> = {}): OpenJob => ({
  workflowId: id,
  state: 'running',
  startedAtMs: 0,
  entry: 'main',
  ...given,
});

describe('room for a job', () => {
  it('is where any engine of the pool has a free slot', async () => {
    expect(await setup({ free: [0, 1] }).hasRoom()).toBe(true);
    expect(await setup({ free: [0, 0] }).hasRoom()).toBe(false);
    expect(await setup({ free: [] }).hasRoom()).toBe(false);
  });

  it('is not on an engine that is out of rotation: the job is better left at GitLab', async () => {
    const { world, hasRoom } = setup({ free: [1, 0] });
    world.out.add(0);
    expect(await hasRoom()).toBe(false);

    world.free = [1, 1];
    expect(await hasRoom()).toBe(true);
  });

  it('is not where the free slot is for a job in hand', async () => {
    const { hasRoom } = setup({ free: [1] });

    expect(await hasRoom(1)).toBe(false);
  });

  it('is not where the free slot is for a job that was just started, until that has its machine', async () => {
    const { world, room, hasRoom } = setup({ free: [1] });
    room.started('a', 'main');

    expect(await hasRoom()).toBe(false);
    expect(room.withoutMachine()).toEqual(['a']);

    room.leased('a');
    world.free = [1];
    expect(await hasRoom()).toBe(true);
    expect(room.withoutMachine()).toEqual([]);
  });

  it('comes back when a started job has got its machine elsewhere', async () => {
    const { world, room, hasRoom } = setup({ free: [1] });
    room.started('a', 'main');
    world.nowMs += 3_001;

    expect(await hasRoom()).toBe(true);
  });

  it('does not wait for an hour for a job that was started before the clock was set back', async () => {
    const { world, room, hasRoom } = setup({ free: [1] });
    room.started('a', 'main');
    world.nowMs -= 3_600_000;

    expect(await hasRoom()).toBe(true);
  });

  it('is not where jobs of the pool wait for a machine already', async () => {
    const { world, hasRoom } = setup({ free: [1], open: [open('job/x', { state: 'pending', entry: undefined })] });

    expect(await hasRoom()).toBe(false);

    // Started this moment: about to get its machine.
    world.open = [open('job/x', { state: 'pending', entry: undefined, startedAtMs: world.nowMs - 500 })];
    expect(await hasRoom()).toBe(true);
  });

  it('ends at the limit of the entry, counting each job once and no job of others', async () => {
    const others = [open('x', { entry: 'other' }), open('y', { entry: undefined })];
    const { world, room, hasRoom } = setup({ free: [9], open: [...others, open('a'), open('b')] });
    expect(await hasRoom()).toBe(true);

    // Not yet in Temporal's list, then in it.
    room.started('c', 'main');
    expect(await hasRoom()).toBe(false);
    world.open = [...world.open, open('c')];
    expect(await hasRoom()).toBe(false);

    world.open = [open('a')];
    room.ended('c');
    expect(await hasRoom()).toBe(true);
  });

  it('wakes who waits for it', async () => {
    const { room } = setup({ free: [0] });
    const woken = room.wait(60_000, NEVER);

    room.released();

    await woken;
  });
});
