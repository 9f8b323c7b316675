import { parseDuration } from '../job/durations.js';
import type { MachineLimits } from './document.js';
import { fillQuery, ownSelector, toMatcher, toPromDuration } from './queries.js';

/**
 * What an operator wants to hear of: a query over the whole window of a job, met when any of its series is above the threshold.
 * Evidence for a person, never a verdict.
 */
export interface FlagRule {
  /** The flag, as in `holdfast jobs --flag`. */
  name: string;
  /** PromQL with `{selector}`, `{own_selector}` (of Holdfast's own metrics, whatever `metricsLabel` is), `{interval}` (the step), `{window}` (the job's time) and `{cpus}` (the machine's limit, else 1). */
  query: string;
  threshold: number;
  /** Jobs that ran for a shorter time are not asked about. */
  longerThanMs: number;
}

const CPU = 'max by (machine) (rate(holdfast_machine_cpu_seconds_total{{own_selector}}[{interval}]))';
const MEMORY = 'max by (machine) (holdfast_machine_memory_bytes{{own_selector}})';
const SENT = 'max by (machine) (holdfast_machine_network_transmit_bytes_total{{own_selector}})';
const PEGGED_PART = `avg_over_time((${CPU} >= bool 0.9 * {cpus})[{window}:{interval}])`;

export const RULE_PRESET_NAMES = ['cpu_pegged', 'outbound_traffic', 'memory_flat'] as const;
export type RulePreset = (typeof RULE_PRESET_NAMES)[number];

/** For Holdfast's own machine metrics. */
export const RULE_PRESETS: Record<RulePreset, Omit<FlagRule, 'name'>> = {
  /** The part of the job's time in which its CPU was at 90 % of the limit or more. */
  cpu_pegged: { query: PEGGED_PART, threshold: 0.9, longerThanMs: parseDuration('30m') ?? 0 },
  /** Bytes a second sent, over the whole job. */
  outbound_traffic: {
    query: `rate((${SENT})[{window}:{interval}])`,
    threshold: 10 * 1024 * 1024,
    longerThanMs: parseDuration('1m') ?? 0,
  },
  /** The same part as `cpu_pegged`, of a machine whose memory hardly moved: builds allocate and free, miners do not. */
  memory_flat: {
    query: `${PEGGED_PART} and (stddev_over_time((${MEMORY})[{window}:{interval}]) < 0.05 * avg_over_time((${MEMORY})[{window}:{interval}]))`,
    threshold: 0.9,
    longerThanMs: parseDuration('10m') ?? 0,
  },
};

export type ConfiguredRule =
  | { preset: RulePreset; name?: string | undefined; threshold?: number | undefined; longerThan?: number | undefined }
  | { name: string; query: string; threshold: number; longerThan: number };

/** The rules of the configuration (`longerThan` in milliseconds), presets filled in. */
export function toRules(configured: readonly ConfiguredRule[]): FlagRule[] {
  return configured.map((rule) => {
    if (!('preset' in rule)) {
      const { name, query, threshold, longerThan } = rule;
      return { name, query, threshold, longerThanMs: longerThan };
    }
    const preset = RULE_PRESETS[rule.preset];
    return {
      name: rule.name ?? rule.preset,
      query: preset.query,
      threshold: rule.threshold ?? preset.threshold,
      longerThanMs: rule.longerThan ?? preset.longerThanMs,
    };
  });
}

export interface RuleContext {
  selector: { name: string; value: string };
  machine: string;
  stepMs: number;
  windowMs: number;
  limits: MachineLimits | undefined;
}

/** Fills in a rule's placeholders; what is put in is not looked at again. */
export function fillRule(query: string, { selector, machine, stepMs, windowMs, limits }: RuleContext): string {
  const wholeMs = Math.max(stepMs, Math.ceil(windowMs / 1000) * 1000);
  return query
    .split(/(\{window\}|\{cpus\}|\{own_selector\})/)
    .map((part) => {
      if (part === '{window}') return toPromDuration(wholeMs);
      if (part === '{cpus}') return String(limits?.cpus ?? 1);
      if (part === '{own_selector}') return toMatcher(ownSelector(selector, machine));
      return fillQuery(part, selector, stepMs);
    })
    .join('');
}
