// theme.ts -- The colour of a brand as a style sheet of the drop page: always readable, in the light, in the dark and in the sun.

type Rgb = readonly [number, number, number];

/** What WCAG asks for at its highest level, AAA. */
const CONTRAST_MIN = 7;
/** The cards of `web/shared/base.css`. */
const CARDS = { light: [255, 255, 255], dark: [27, 29, 32] } as const;

const INK = [16, 19, 28] as const;

/** The style sheet; `color` is one such as `#e4002b`. */
export function themeSheet(color: string): string {
  const light = variables(parse(color), CARDS.light, [0, 0, 0]);
  const dark = variables(parse(color), CARDS.dark, [255, 255, 255]);
  return `:root{${light}}@media (prefers-color-scheme:dark){:root{${dark}}}`;
}

function variables(color: Rgb, card: Rgb, away: Rgb): string {
  const accent = readable(color, card, away).color;
  // What is filled with the colour keeps as much of it as what is written on it allows.
  const fills = [
    { on: CARDS.light, ...readable(color, CARDS.light, [0, 0, 0]) },
    { on: INK, ...readable(color, INK, [255, 255, 255]) },
  ];
  const [fill] = fills.toSorted((one, other) => one.part - other.part);
  return [
    `--accent:${hex(accent)}`,
    `--accent-strong:${hex(mix(accent, away, 0.2))}`,
    `--accent-soft:${hex(mix(card, accent, 0.1))}`,
    `--on-accent:${hex(card === CARDS.light ? card : INK)}`,
    ...(fill ? [`--fill:${hex(fill.color)}`, `--on-fill:${hex(fill.on)}`] : []),
  ].join(';');
}

/** Moves a colour away from what it stands on until it can be read. */
function readable(color: Rgb, card: Rgb, away: Rgb): { readonly color: Rgb; readonly part: number } {
  for (let part = 0; part < 1; part += 0.02) {
    const moved = mix(color, away, part);
    if (contrast(moved, card) >= CONTRAST_MIN) return { color: moved, part };
  }
  return { color: away, part: 1 };
}

/** From 1 to 21, as WCAG 2 defines it. */
function contrast(one: Rgb, other: Rgb): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((value) => {
    const part = value / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix([red, green, blue]: Rgb, [r, g, b]: Rgb, part: number): Rgb {
  const at = (from: number, to: number) => Math.round(from + (to - from) * part);
  return [at(red, r), at(green, g), at(blue, b)];
}

function parse(color: string): Rgb {
  const at = (from: number) => Number.parseInt(color.slice(from, from + 2), 16);
  return [at(1), at(3), at(5)];
}

function hex(color: Rgb): string {
  return `#${color.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}
