/** How text looks, as far as SGR codes have said. Never changed: a new one is made. */
export interface TextStyle {
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
  /** `''`: the default; `'0'` to `'15'`: the terminal's colours; else `#rrggbb`. */
  readonly foreground: string;
  readonly background: string;
}

export const PLAIN: TextStyle = {
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
  foreground: '',
  background: '',
};

const SIMPLE: Record<number, Partial<TextStyle>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { foreground: '' },
  49: { background: '' },
};

/** @param parameters of one SGR code, e.g. `1;38;5;208`, or with sub-parameters as of ISO 8613-6: `1;38:5:208` */
export function applySgr(style: TextStyle, parameters: string): TextStyle {
  const all = parameters.split(';').map((parameter) => parameter.split(':').map(toCode));
  let next = style;
  for (let at = 0; at < all.length; at += 1) {
    const [code = 0, ...subParameters] = all[at] ?? [];
    if (code === 0) next = PLAIN;
    else if (code === 38 || code === 48) {
      const inOne = subParameters.length > 0;
      const rest = all.slice(at + 1).map(([first = 0]) => first);
      const { color, used } = extendedColor(inOne ? withoutColorSpace(subParameters) : rest);
      if (color !== undefined) next = { ...next, [code === 38 ? 'foreground' : 'background']: color };
      if (!inOne) at += used;
    } else if (code === 4 && subParameters[0] === 0) next = { ...next, underline: false };
    else next = { ...next, ...(SIMPLE[code] ?? basicColor(code)) };
  }
  return next;
}

function toCode(text: string): number {
  return /^\d{0,9}$/.test(text) ? Number(text) : -1;
}

/** `2:<colour space>:r:g:b`, mostly an empty one; many programs leave it out altogether. */
function withoutColorSpace(subParameters: readonly number[]): readonly number[] {
  return subParameters[0] === 2 && subParameters.length > 4 ? [2, ...subParameters.slice(2)] : subParameters;
}

function basicColor(code: number): Partial<TextStyle> {
  if (code >= 30 && code <= 37) return { foreground: String(code - 30) };
  if (code >= 40 && code <= 47) return { background: String(code - 40) };
  if (code >= 90 && code <= 97) return { foreground: String(code - 82) };
  if (code >= 100 && code <= 107) return { background: String(code - 92) };
  return {};
}

/** What follows 38 or 48: `5;n` or `2;r;g;b`. */
function extendedColor(codes: readonly number[]): { color?: string; used: number } {
  const byte = (index: number) => {
    const value = codes[index] ?? -1;
    return value >= 0 && value <= 255 ? value : undefined;
  };
  if (codes[0] === 5) {
    const index = byte(1);
    return index === undefined ? { used: 2 } : { color: paletteColor(index), used: 2 };
  }
  if (codes[0] !== 2) return { used: 0 };
  const [red, green, blue] = [byte(1), byte(2), byte(3)];
  if (red === undefined || green === undefined || blue === undefined) return { used: 4 };
  return { color: toHex(red, green, blue), used: 4 };
}

/** xterm's 256 colours: 16 of the terminal, a cube of 6 × 6 × 6, 24 greys. */
function paletteColor(index: number): string {
  if (index < 16) return String(index);
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return toHex(grey, grey, grey);
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return toHex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function toHex(...bytes: number[]): string {
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** A style in a few letters, as it goes to the browser: `b d i u s r` and `f…`, `g…` with a colour; `''` is plain. */
export function styleCode(style: TextStyle): string {
  if (style === PLAIN) return '';
  const flags = [
    style.bold && 'b',
    style.dim && 'd',
    style.italic && 'i',
    style.underline && 'u',
    style.strike && 's',
    style.inverse && 'r',
    style.foreground !== '' && `f${style.foreground}`,
    style.background !== '' && `g${style.background}`,
  ];
  return flags.filter((flag) => flag !== false).join(' ');
}
