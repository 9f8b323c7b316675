import type uPlot from 'uplot';
import type { MetricsDocument } from '../../../metrics/document.js';
import type { Palette } from './palette.js';

const MIN_LABEL_PX = 34;

/** Shades the job's stages behind the lines, every other one darker, and writes their names on top where there is room. */
export function stageShading(
  stages: MetricsDocument['stages'],
  originMs: number,
  palette: () => Palette,
): uPlot.Plugin {
  function eachStage(plot: uPlot, paint: (name: string, left: number, width: number, index: number) => void): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    stages.forEach(({ name, startedAtMs, finishedAtMs }, index) => {
      const left = plot.valToPos((startedAtMs - originMs) / 1000, 'x', true);
      const right = plot.valToPos((finishedAtMs - originMs) / 1000, 'x', true);
      paint(name, left, right - left, index);
    });
    ctx.restore();
  }

  return {
    hooks: {
      drawClear: (plot) => {
        const { stage, stageOther } = palette();
        eachStage(plot, (_name, left, width, index) => {
          plot.ctx.fillStyle = index % 2 === 0 ? stage : stageOther;
          plot.ctx.fillRect(left, plot.bbox.top, Math.max(width, 1), plot.bbox.height);
        });
      },
      draw: (plot) => {
        const { ctx, bbox } = plot;
        // uPlot believes its own font to be set still.
        ctx.save();
        ctx.font = `${String(11 * devicePixelRatio)}px system-ui, sans-serif`;
        ctx.textBaseline = 'top';
        ctx.textAlign = 'left';
        eachStage(plot, (name, left, width) => {
          if (width < MIN_LABEL_PX * devicePixelRatio) return;
          ctx.fillStyle = palette().muted;
          const words = fitting(ctx, name, width - 8 * devicePixelRatio);
          ctx.fillText(words, left + 4 * devicePixelRatio, bbox.top + 3 * devicePixelRatio);
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
