import { expect, it } from 'vitest';
import { soak } from '../support/soak/soak.js';

/** Within half a minute: worker killed and told to stop, Temporal killed, engine stalled and forgotten, answers of the coordinator lost. */
const SEED = 7528;
const MINUTES = 0.35;
/** Many times what it takes: a busy machine makes every fault longer. */
const LIMIT_MS = 8 * 60_000;

it(
  'nothing is lost in half a minute of random faults (`npm run test:soak` plays more)',
  async () => {
    const { broken, kept } = await soak(SEED, MINUTES, (line) => process.stdout.write(`${line}\n`));

    expect(broken.join('\n'), kept).toBe('');
  },
  LIMIT_MS,
);
