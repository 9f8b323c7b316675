/** The page's colours as a canvas needs them: computed, for the theme that is on. */
export interface Palette {
  text: string;
  muted: string;
  line: string;
  stage: string;
  stageOther: string;
  series: string[];
}

export function readPalette(within: HTMLElement): Palette {
  const probe = document.createElement('span');
  probe.hidden = true;
  within.append(probe);
  const color = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    text: color('text'),
    muted: color('muted'),
    line: color('line'),
    stage: color('stage'),
    stageOther: color('stage-other'),
    series: [1, 2, 3, 4].map((number) => color(`series-${String(number)}`)),
  };
  probe.remove();
  return palette;
}
