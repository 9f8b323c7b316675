import type uPlot from 'uplot';

/**
 * Names and values of a graph's series, below the graph: not in it, since a slider (`keys.ts`) has no parts of its own for assistive
 * technology. Where there are several series each name is a button that takes its line away and brings it back.
 */
export function createLegend(place: HTMLElement, { toggles }: { toggles: boolean }) {
  return {
    labelOf(name: string): string | HTMLElement {
      if (!toggles) return name;
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.ariaPressed = 'true';
      return button;
    },
    plugin: {
      opts: (_plot, options) => ({
        ...options,
        legend: {
          mount: (_of, table) => place.after(table),
          // Of the style sheet's variables, so that they follow the theme by themselves.
          markers: { stroke: (_of, index) => `var(--series-${String(index)})` },
        },
        // uPlot hears clicks on the name's cell, and so those that keys make on its button.
        ...(toggles ? {} : { cursor: { ...options.cursor, bind: { click: () => null } } }),
      }),
      hooks: {
        setSeries: ({ series }) => {
          for (const { label, show } of series)
            if (label instanceof HTMLElement) label.ariaPressed = String(show !== false);
        },
      },
    } satisfies uPlot.Plugin,
  };
}
