import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inColumns } from '../../../src/cli/columns.js';
import type { Figures, Scenario, Standstill } from './scenario.js';

/**
 * Three times what is promised (10 s from a worker's being there): a machine that plays four groups at once is busy. A scenario whose
 * fault takes longer says so itself.
 */
const STANDSTILL: Standstill = { seconds: 30, why: 'three times what is promised' };

/** What a scenario must come to. Each entry that is not so is a broken promise. */
export function brokenPromises(
  figures: Figures,
  scenario: Pick<Scenario, 'expect' | 'gitlab' | 'standstill'>,
): string[] {
  const {
    state = 'success',
    failureReason = null,
    runs = 1,
    afterRuns = state === 'success' ? 1 : Math.min(figures.afterRuns, 1),
    linesMayBeLost = false,
    coordinator,
  } = scenario.expect ?? {};
  const wanted: [keyof Figures, unknown][] = [
    ['jobsLost', 0],
    ['state', state],
    ['failureReason', failureReason],
    ['runs', runs],
    ['afterRuns', afterRuns],
    ...(linesMayBeLost ? [] : [['linesLost', 0] as [keyof Figures, unknown]]),
    ['linesDoubled', 0],
    ['outOfOrder', 0],
    ['leftovers', 0],
    ['checksumWrong', 0],
    ['replayDiffers', 0],
    ['coordinator', coordinator ?? (scenario.gitlab === undefined ? '' : state)],
    ['violations', 0],
    ['traceDiffers', 0],
  ];
  return [
    ...wanted
      .filter(([name, value]) => figures[name] !== value)
      .map(([name, value]) => `${name} is ${String(figures[name])}, promised is ${String(value)}`),
    ...brokenByStandstill(figures, scenario.standstill),
  ];
}

function brokenByStandstill({ secondsUntilMoved }: Figures, { seconds, why } = STANDSTILL): string[] {
  if (secondsUntilMoved === null || secondsUntilMoved <= seconds) return [];
  const stood = secondsUntilMoved.toFixed(1);
  return [`the trace stood still for ${stood} s after the repair, ${String(seconds)} s are the most (${why})`];
}

const SUMMED = [
  'jobsLost',
  'linesLost',
  'linesDoubled',
  'outOfOrder',
  'checksumWrong',
  'replayDiffers',
  'violations',
  'traceDiffers',
] as const;
const MOST = ['runs', 'afterRuns', 'leftovers'] as const;

/** Several jobs of one scenario as one line: what is to be zero added up, of everything else the worst. */
export function sumOfFigures(all: readonly Figures[]): Figures {
  const [first] = all;
  if (first === undefined) throw new Error('A scenario has at least one job');
  const sum = { ...(all.find(({ state }) => state !== first.state) ?? first) };
  for (const name of SUMMED) sum[name] = all.reduce((total, figures) => total + figures[name], 0);
  for (const name of MOST) sum[name] = Math.max(...all.map((figures) => figures[name]));
  const moved = all.flatMap(({ secondsUntilMoved }) => (secondsUntilMoved === null ? [] : [secondsUntilMoved]));
  sum.secondsUntilMoved = moved.length === 0 ? null : Math.max(...moved);
  return sum;
}

/** Of a scenario that did not come to its end. */
export function failedFigures({ name }: Pick<Scenario, 'name'>, error: unknown): Figures {
  const [reason = ''] = String(error).split('\n');
  return { ...noFigures(name), jobsLost: 1, broken: [reason] };
}

/** Of a scenario that this machine cannot play. */
export function skippedFigures({ name }: Scenario, reason: string): Figures {
  return { ...noFigures(name), state: 'skipped', skipped: reason };
}

function noFigures(scenario: string): Figures {
  return {
    scenario,
    jobsLost: 0,
    state: 'unknown',
    failureReason: null,
    runs: 0,
    afterRuns: 0,
    linesLost: 0,
    linesDoubled: 0,
    outOfOrder: 0,
    secondsUntilMoved: null,
    leftovers: 0,
    checksumWrong: 0,
    replayDiffers: 0,
    coordinator: '',
    violations: 0,
    traceDiffers: 0,
    tookSeconds: 0,
    broken: [],
  };
}

const COLUMNS: [string, (figures: Figures) => string][] = [
  ['scenario', (figures) => figures.scenario],
  ['lost jobs', (figures) => String(figures.jobsLost)],
  ['runs', (figures) => String(figures.runs)],
  ['after_script', (figures) => String(figures.afterRuns)],
  ['lost', (figures) => String(figures.linesLost)],
  ['doubled', (figures) => String(figures.linesDoubled)],
  ['disorder', (figures) => String(figures.outOfOrder)],
  [
    'moved after',
    (figures) => (figures.secondsUntilMoved === null ? '-' : `${figures.secondsUntilMoved.toFixed(1)} s`),
  ],
  ['leftovers', (figures) => String(figures.leftovers)],
  ['state', (figures) => figures.failureReason ?? figures.state],
  ['coordinator', (figures) => (figures.coordinator === '' ? '-' : figures.coordinator)],
  ['violations', (figures) => String(figures.violations + figures.traceDiffers)],
  ['took', (figures) => `${figures.tookSeconds.toFixed(0)} s`],
];

export function figuresTable(all: readonly Figures[]): string {
  return inColumns([
    COLUMNS.map(([title]) => title),
    ...all.map((figures) => COLUMNS.map(([, cell]) => cell(figures))),
  ]);
}

/** `test-output/faults/<group>.json`, from which `npm run test:faults` makes the table of all groups. */
export function writeFigures(group: string, all: readonly Figures[]): void {
  const directory = join('test-output', 'faults');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${group}.json`), `${JSON.stringify(all, null, 2)}\n`);
}
