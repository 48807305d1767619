// plot.ts -- Plots as SVG text that needs nothing from elsewhere: bars side by side and a line over a logarithmic axis.

import { number } from './tables.ts';

export interface Bar {
  readonly title: string;
  readonly value: number;
  /** Bars of one kind have one colour: a class of the page's style. */
  readonly kind: string;
}

const WIDTH = 760;
const ROW = 26;
const NAMES = 300;
const FIGURES = 90;

/** Horizontal bars, longest of all at full width. */
export function barPlot(title: string, unit: string, bars: readonly Bar[], digits = 0): string {
  const highest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const rows = bars.map(({ title: name, value, kind }, i) => {
    const y = i * ROW;
    const length = ((WIDTH - NAMES - FIGURES) * value) / highest;
    return [
      `<text x="${NAMES - 8}" y="${y + 17}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="${kind}" x="${NAMES}" y="${y + 4}" width="${length.toFixed(1)}" height="${ROW - 8}" rx="2"/>`,
      `<text x="${(NAMES + length + 6).toFixed(1)}" y="${y + 17}">${number(value, digits)}</text>`,
    ].join('');
  });
  return figure(title, unit, bars.length * ROW + 4, rows.join(''));
}

export interface Dot {
  readonly x: number;
  readonly y: number;
}

const HEIGHT = 240;
const LEFT = 70;
const RIGHT = 30;
const TOP = 16;
const BOTTOM = 44;

/** A line from zero upwards, over a logarithmic x axis whose marks are the points themselves. */
export function linePlot(title: string, unit: string, xTitle: string, dots: readonly Dot[], digits = 0): string {
  const highest = Math.max(...dots.map(({ y }) => y), Number.MIN_VALUE);
  const logs = dots.map(({ x }) => Math.log10(x));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const place = ({ x, y }: Dot) => ({
    x: LEFT + ((Math.log10(x) - low) / (high - low || 1)) * (WIDTH - LEFT - RIGHT),
    y: HEIGHT - BOTTOM - (y / highest) * (HEIGHT - TOP - BOTTOM),
  });
  const line = dots.map(place).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
  const marks = dots.map((dot) => {
    const { x, y } = place(dot);
    return [
      `<circle class="system" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4"/>`,
      `<text x="${x.toFixed(1)}" y="${(y - 8).toFixed(1)}" text-anchor="middle">${number(dot.y, digits)}</text>`,
      `<text x="${x.toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${number(dot.x)}</text>`,
    ].join('');
  });
  const axis = `<line x1="${LEFT}" y1="${HEIGHT - BOTTOM}" x2="${WIDTH - RIGHT}" y2="${HEIGHT - BOTTOM}"/>`;
  const below = `<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(xTitle)}</text>`;
  return figure(title, unit, HEIGHT, `${axis}<polyline points="${line.join(' ')}"/>${marks.join('')}${below}`);
}

function figure(title: string, unit: string, height: number, content: string): string {
  const label = escaped(`${title}, ${unit}`);
  return [
    `<figure><figcaption>${escaped(title)} <small>${escaped(unit)}</small></figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">${content}</svg></figure>`,
  ].join('\n');
}

/** Text that cannot become a tag. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
