import uPlot from 'uplot';
import type { MetricsDocument } from '../../../metrics/document.js';
import { formatterOf } from '../../../metrics/units.js';
import { moveByKeys } from './keys.js';
import { createLegend } from './legend.js';
import { plotDataOf, scaleOf, type PlotData } from './plot-data.js';
import { readPalette, type Palette } from './palette.js';
import { stageShading } from './stage-shading.js';

const HEIGHT = 170;
const SYNC_KEY = 'job';

/** Draws the graph of each figure below `root`. Their cursors move together. @returns what takes them away again */
export function drawGraphs(root: HTMLElement, metrics: MetricsDocument): () => void {
  let palette = readPalette(root);
  const plots: { plot: uPlot; place: HTMLElement }[] = [];
  for (const figure of root.querySelectorAll<HTMLElement>('figure[data-query]')) {
    const place = figure.querySelector<HTMLElement>('.plot');
    const query = figure.dataset['query'] ?? '';
    if (place === null) continue;
    const data = plotDataOf(metrics, query);
    if (data.times.length === 0) continue;
    place.setAttribute(
      'aria-label',
      `Graph: ${figure.querySelector('figcaption')?.textContent.replaceAll(/\s+/g, ' ').trim() ?? query}`,
    );
    plots.push({ plot: createPlot(place, metrics, query, data, () => palette), place });
  }

  for (const { plot, place } of plots)
    moveByKeys(place, plot, (at) => {
      const seconds = plot.data[0][at] ?? 0;
      for (const { plot: each } of plots) each.setCursor({ left: each.valToPos(seconds, 'x'), top: 0 });
    });

  const resized = new ResizeObserver(() => {
    for (const { plot, place } of plots)
      if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  });
  resized.observe(root);
  const recolor = () => {
    palette = readPalette(root);
    for (const { plot } of plots) plot.redraw(false, true);
  };
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', recolor);
  document.addEventListener('themechange', recolor);
  return () => {
    resized.disconnect();
    system.removeEventListener('change', recolor);
    document.removeEventListener('themechange', recolor);
    for (const { plot } of plots) plot.destroy();
  };
}

function createPlot(
  place: HTMLElement,
  metrics: MetricsDocument,
  query: string,
  { times, series }: PlotData,
  palette: () => Palette,
): uPlot {
  const format = formatterOf(query);
  const { originMs, endMs } = windowOf(metrics);
  const seconds = times.map((time) => time - originMs / 1000);
  const legend = createLegend(place, { toggles: series.length > 1 });
  const axis = {
    stroke: () => palette().muted,
    grid: { stroke: () => palette().line, width: 1 },
    ticks: { show: false },
  };
  const options: uPlot.Options = {
    width: Math.max(200, place.clientWidth),
    height: HEIGHT,
    cursor: { sync: { key: SYNC_KEY }, drag: { x: true, y: false } },
    scales: {
      x: {
        time: false,
        // The whole window, also where samples begin later; or what was zoomed to.
        range: (_plot, min, max) =>
          seconds.length < 2 || (min === seconds[0] && max === seconds.at(-1))
            ? [0, (endMs - originMs) / 1000]
            : [min, max],
      },
      y: { range: (_plot, min: number | null, max: number | null) => scaleOf(min, max) },
    },
    axes: [
      { ...axis, size: 30, space: 60, incrs: TIME_STEPS, values: (_plot, ticks) => ticks.map(formatElapsed) },
      {
        ...axis,
        size: 78,
        space: 34,
        ...(isBytes(query) ? { incrs: BYTE_STEPS } : {}),
        values: (_plot, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {
        label: 'at',
        value: (_plot, value: number | null) => (value === null ? '–' : formatTime(originMs + value * 1000)),
      },
      ...series.map(({ label }, index) => ({
        label: legend.labelOf(label),
        stroke: () => palette().series[index] ?? palette().text,
        width: 1.75,
        points: { show: times.length < 40 },
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : format(value)),
      })),
    ],
    plugins: [legend.plugin, stageShading(metrics.stages, originMs, palette)],
  };
  return new uPlot(options, [seconds, ...series.map(({ values }) => values)], place);
}

function windowOf({ window, stages }: MetricsDocument): { originMs: number; endMs: number } {
  return {
    originMs: Math.min(window.startMs, ...stages.map(({ startedAtMs }) => startedAtMs)),
    endMs: Math.max(window.endMs, ...stages.map(({ finishedAtMs }) => finishedAtMs)),
  };
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

function isBytes(query: string): boolean {
  return query === 'memory' || /^(network|disk)_/.test(query);
}

/** Since the window's begin. */
function formatElapsed(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 60) return `${String(seconds)} s`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  return `${String(Math.floor(seconds / 3600))}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

function formatTime(ms: number): string {
  return new Date(ms).toLocaleTimeString(undefined, { hour12: false });
}
