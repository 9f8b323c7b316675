import { z } from 'zod';
import { parseDuration } from '../job/durations.js';

/** What a single setting may be. */

export const Text = z.string().min(1, { error: 'must not be empty' });
export const List = z.array(Text).default([]);

/** `5s`, `1h 30m`, seconds as a number; in milliseconds inside. */
function time(bounds: { minMs?: number } = {}) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const ms = parseDuration(String(value));
    if (ms !== undefined && ms >= (bounds.minMs ?? 0)) return ms;
    const least = bounds.minMs === undefined ? '' : `, at least ${String(bounds.minMs)} ms`;
    context.addIssue({ code: 'custom', message: `must be a time such as "5s" or "1h"${least}` });
    return z.NEVER;
  });
}

export function duration(fallback: string, bounds: { minMs?: number } = {}) {
  return time(bounds).prefault(fallback);
}

export function optionalDuration() {
  return time().optional();
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `4MiB`, `512m`, `2GB`, bytes as a number; powers of 1024 as Docker reads them. */
function bytesOf(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtb]?)(?:i?b)?$/i.exec(String(value).trim());
  const factor = UNITS[match?.[2]?.toLowerCase() ?? ''];
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

export const Size = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'must be a size such as "512m" or "4MiB"' });
  return z.NEVER;
});

/** As a size, or -1 for as much as there is. */
export const SwapSize = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = String(value).trim() === '-1' ? -1 : bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'must be a size such as "512m" or "4MiB", or -1' });
  return z.NEVER;
});

export const Address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, { error: 'must be host:port, e.g. 127.0.0.1:9252' })
  .refine((address) => Number(address.slice(address.lastIndexOf(':') + 1)) <= 65_535, {
    error: 'must have a port from 0 to 65535',
  });
export const Url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
export const Name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,40}$/, { error: 'must be a short lower-case name' });
