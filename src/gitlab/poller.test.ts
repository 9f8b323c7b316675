import { afterEach, describe, expect, it } from 'vitest';
import { startStandIn, type SeenRequest, type StandIn, type StandInAnswer } from '../../test/support/http-stand-in.js';
import { silentLogger } from '../telemetry/logger.js';
import { createGitlabClient, type GitlabClient } from './client.js';
import type { Clock } from './clock.js';
import { createHttp } from './http.js';
import { runnerInfo } from './info.js';
import { createPoller, type Poller } from './poller.js';

let standIn: StandIn;
let client: GitlabClient;
let poller: Poller;

afterEach(async () => {
  await poller.stop(0);
  await client.close();
  await standIn.close();
});

/** Sleeps are recorded and end at once. */
function recordingClock(random = 1): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => performance.now(),
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(Math.round(ms));
      await new Promise((resolve) => setImmediate(resolve));
    },
    random: () => random,
  };
}

interface Setup {
  answers: (StandInAnswer | ((request: SeenRequest) => StandInAnswer | Promise<StandInAnswer>))[];
  hasRoom?: () => boolean | Promise<boolean>;
  clock?: Clock;
  token?: () => string;
}

/** Answers in order, then nothing but "no job". */
async function start({ answers, hasRoom = () => true, clock = recordingClock(), token = () => 'glrt-x' }: Setup) {
  const taken: string[] = [];
  const queue = [...answers];
  let asked = 0;
  let reached: (() => void) | undefined;
  standIn = await startStandIn((request) => {
    asked += 1;
    const next = queue.shift();
    if (next === undefined) reached?.();
    if (next === undefined) return { status: 204 };
    return typeof next === 'function' ? next(request) : next;
  });
  client = createGitlabClient({
    http: createHttp({ url: standIn.url }),
    token,
    systemId: 'r_0123456789ab',
    info: runnerInfo(),
  });
  const allAnswered = new Promise<void>((resolve) => (reached = resolve));
  poller = createPoller({
    entry: 'main',
    client,
    hasRoom: async () => await hasRoom(),
    roomChanged: () => new Promise((resolve) => setImmediate(resolve)),
    take: (body) => {
      taken.push(body.toString());
      return Promise.resolve();
    },
    clock,
    logger: silentLogger,
  });
  poller.start();
  return { taken, allAnswered, asked: () => asked };
}

const job = (id: number): StandInAnswer => ({
  status: 201,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id, token: 'glcbt-x' }),
});

describe('a poller', () => {
  it('takes every job that it is given, one after another', async () => {
    const { taken, allAnswered } = await start({ answers: [job(1), { status: 204 }, job(2), job(3)] });

    await allAnswered;

    expect(taken.map((body) => (JSON.parse(body) as { id: number }).id)).toEqual([1, 2, 3]);
  });

  it('echoes the last X-GitLab-Last-Update, whatever comes between', async () => {
    const { allAnswered } = await start({
      answers: [{ status: 204, headers: { 'x-gitlab-last-update': 'one' } }, { status: 500 }, { status: 204 }],
    });

    await allAnswered;

    const sent = standIn.seen.map(({ body }) => (JSON.parse(body.toString()) as { last_update?: string }).last_update);
    expect(sent.slice(0, 4)).toEqual([undefined, 'one', 'one', 'one']);
  });

  it('asks for nothing while there is no room', async () => {
    let room = false;
    let looks = 0;
    const { allAnswered, asked } = await start({
      answers: [],
      hasRoom: () => {
        looks += 1;
        if (looks === 5) expect(asked()).toBe(0);
        if (looks > 5) room = true;
        return room;
      },
    });

    await allAnswered;

    expect(looks).toBeGreaterThan(5);
  });

  it('asks for nothing while nobody can tell whether there is room', async () => {
    let looks = 0;
    const { allAnswered, asked } = await start({
      answers: [],
      hasRoom: () => {
        looks += 1;
        if (looks < 4) throw new Error('Temporal is away');
        expect(asked()).toBe(0);
        return true;
      },
    });

    await allAnswered;
  });

  it('pauses for a second at most when nothing is to do', async () => {
    const clock = recordingClock();
    const { allAnswered } = await start({ answers: [{ status: 204 }, { status: 204 }], clock });

    await allAnswered;

    expect(clock.slept.slice(0, 2)).toEqual([1_000, 1_000]);
  });

  it('waits as long as GitLab wishes', async () => {
    const clock = recordingClock(0);
    const { allAnswered } = await start({ answers: [{ status: 429, headers: { 'retry-after': '60' } }], clock });

    await allAnswered;

    expect(clock.slept[0]).toBeGreaterThanOrEqual(60_000);
    expect(clock.slept[0]).toBeLessThan(62_000);
  });

  it('is back within seconds after an outage, however long it was', async () => {
    const clock = recordingClock();
    const outage: StandInAnswer[] = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0 ? 'reset' : { status: 502 },
    );
    const { taken, allAnswered } = await start({ answers: [...outage, job(1)], clock });

    await allAnswered;

    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(5_000);
    expect(taken).toHaveLength(1);
  });

  it.each([
    ['a page', { 'content-type': 'text/html' }, '<html>Sorry</html>'],
    ['no JSON', { 'content-type': 'application/json' }, '{"id":1,"tok'],
    ['nobody’s', { 'content-type': 'application/json' }, '{"message":"created"}'],
    ['a job of another type', { 'content-type': 'text/plain' }, '{"id":1,"token":"x"}'],
  ])('takes a 201 for an outage when it is %s', async (_name, headers, body) => {
    const clock = recordingClock();
    const { taken, allAnswered } = await start({
      answers: [...Array.from({ length: 10 }, (): StandInAnswer => ({ status: 201, headers, body })), job(1)],
      clock,
    });

    await allAnswered;

    expect(clock.slept.slice(0, 5)).toEqual([250, 500, 1_000, 2_000, 4_000]);
    expect(taken).toHaveLength(1);
  });

  it('goes on when its token file cannot be read for a moment', async () => {
    let unreadable = 2;
    const { taken, allAnswered } = await start({
      answers: [job(1)],
      token: () => {
        unreadable -= 1;
        if (unreadable >= 0) throw new Error('ENOENT');
        return 'glrt-x';
      },
    });

    await allAnswered;

    expect(taken).toHaveLength(1);
  });

  it('tries a refused token again, and never sleeps for an hour', async () => {
    const clock = recordingClock();
    const { taken, allAnswered } = await start({
      answers: [...Array.from({ length: 12 }, (): StandInAnswer => ({ status: 403 })), job(1)],
      clock,
    });

    await allAnswered;

    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(30_000);
    expect(taken).toHaveLength(1);
  });
});

describe('a poller that is stopped', () => {
  it('still takes the job that GitLab is just handing over', async () => {
    let answer: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let give: ((answer: StandInAnswer) => void) | undefined;
    const { taken } = await start({
      answers: [
        () => {
          answer?.();
          return new Promise<StandInAnswer>((resolve) => (give = resolve));
        },
      ],
    });
    await asked;

    const stopped = poller.stop(10_000);
    give?.(job(1));
    await stopped;

    expect(taken).toHaveLength(1);
    expect(standIn.seen).toHaveLength(1);
  });

  it('asks for nothing more when it is told to stop while it looks for room', async () => {
    let looked: (() => void) | undefined;
    const looking = new Promise<void>((resolve) => (looked = resolve));
    let tell: ((room: boolean) => void) | undefined;
    const { asked } = await start({
      answers: [job(1)],
      hasRoom: () =>
        new Promise<boolean>((resolve) => {
          tell = resolve;
          looked?.();
        }),
    });
    await looking;
    const stopped = poller.stop(10_000);
    tell?.(true);

    await stopped;

    expect(asked()).toBe(0);
  });

  it('cuts a request that lasts longer than its patience', async () => {
    let answer: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await start({
      answers: [
        () => {
          answer?.();
          return 'hang';
        },
      ],
    });
    await asked;

    await poller.stop(20);

    expect(standIn.seen).toHaveLength(1);
  });
});
