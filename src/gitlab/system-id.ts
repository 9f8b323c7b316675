import { randomInt } from 'node:crypto';
import type { Store } from '../store/store.js';

const KEY = 'gitlab-system-id';
const SHAPE = /^[rs]_[0-9a-zA-Z]{12}$/;
const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * By token and system id GitLab knows a runner manager; made once and kept in the store. Workers that share the store are one
 * manager to GitLab.
 */
export async function loadSystemId(store: Store): Promise<string> {
  const known = (await store.read(KEY))?.toString('utf8').trim();
  if (known !== undefined && SHAPE.test(known)) return known;
  const made = `r_${Array.from({ length: 12 }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('')}`;
  await store.write(KEY, made);
  // Another worker may have made one in the same moment: the last write stands for both.
  return (await store.read(KEY))?.toString('utf8') ?? made;
}
