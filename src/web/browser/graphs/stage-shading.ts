import type uPlot from 'uplot';
import type { MetricsDocument } from '../../../metrics/document.js';
import type { Palette } from './palette.js';

const MIN_LABEL_PX = 34;

/** Shades the job's stages behind the lines, every other one darker, with their names on top where there is room. */
export function stageShading(
  stages: MetricsDocument['stages'],
  originMs: number,
  palette: () => Palette,
): uPlot.Plugin {
  return {
    hooks: {
      drawClear: (plot) => {
        const { ctx, bbox } = plot;
        const { stage, stageOther, muted } = palette();
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.font = `${String(11 * devicePixelRatio)}px system-ui, sans-serif`;
        ctx.textBaseline = 'top';
        stages.forEach(({ name, startedAtMs, finishedAtMs }, index) => {
          const left = plot.valToPos((startedAtMs - originMs) / 1000, 'x', true);
          const width = plot.valToPos((finishedAtMs - originMs) / 1000, 'x', true) - left;
          ctx.fillStyle = index % 2 === 0 ? stage : stageOther;
          ctx.fillRect(left, bbox.top, Math.max(width, 1), bbox.height);
          if (width < MIN_LABEL_PX * devicePixelRatio) return;
          ctx.fillStyle = muted;
          ctx.fillText(
            fitting(ctx, name, width - 8 * devicePixelRatio),
            left + 4 * devicePixelRatio,
            bbox.top + 3 * devicePixelRatio,
          );
        });
        ctx.restore();
      },
    },
  };
}

function fitting(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  for (let length = text.length; length > 0; length -= 1) {
    const part = length === text.length ? text : `${text.slice(0, length)}…`;
    if (ctx.measureText(part).width <= width) return part;
  }
  return '';
}
