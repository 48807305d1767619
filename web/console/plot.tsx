// plot.tsx -- One plot over the last minutes. The newest value stands beside it as text: a canvas says nothing to a screen reader.

import { useEffect, useRef } from 'preact/hooks';
import Plotter from 'uplot';
import { language } from '../shared/language.ts';

export interface PlotProps {
  readonly title: string;
  readonly hint: string;
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  /** At most two: the first is drawn in the accent. */
  readonly lines: readonly PlotLine[];
  /** A value in words. */
  words(value: number): string;
  /** What stands beside the axis: short, and with its unit where it has one. */
  marks?(value: number): string;
}

export interface PlotLine {
  readonly name: string;
  /** One for each time; null where nothing is known. */
  readonly values: readonly (number | null)[];
}

const HEIGHT = 170;

export function Plot({ title, hint, times, lines, words, marks = short }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Plotter | null>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const draw = () => {
      drawn.current?.destroy();
      drawn.current = new Plotter(optionsFor(element, lines.length, marks), [[], ...lines.map(() => [])], element);
    };
    const resized = new ResizeObserver(() => drawn.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    draw();
    resized.observe(element);
    dark.addEventListener('change', draw);
    return () => {
      dark.removeEventListener('change', draw);
      resized.disconnect();
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, [lines.length, language.value]);
  useEffect(() => {
    drawn.current?.setData([[...times], ...lines.map(({ values }) => [...values])]);
  });
  return (
    <figure class="card plot">
      <figcaption>
        <h2>{title}</h2>
        <p class="hint">{hint}</p>
        <dl class="legend">
          {lines.map(({ name, values }) => (
            <div key={name}>
              <dt class={lines.length === 1 ? 'hidden' : ''}>{name}</dt>
              <dd class="number">{latest(values, words)}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function latest(values: readonly (number | null)[], words: (value: number) => string): string {
  const value = values.at(-1) ?? null;
  return value === null ? '–' : words(value);
}

function optionsFor(element: HTMLElement, lines: number, marks: (value: number) => string): Plotter.Options {
  const accent = resolved(element, 'accent');
  const quiet = resolved(element, 'quiet');
  const line = resolved(element, 'line');
  const soft = resolved(element, 'accent-soft');
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: quiet, font, ticks: { show: false }, grid: { stroke: line, width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_, __, max) => [0, Math.max(4, max) * 1.1] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, ticks) => ticks.map(clockTime), space: 80, size: 28, incrs },
      { ...axis, size: 56, space: 36, values: (_, ticks) => ticks.map(marks) },
    ],
    series: [
      {},
      { stroke: accent, width: 2, points: { show: false }, ...(lines === 1 && { fill: soft }) },
      ...(lines > 1 ? [{ stroke: quiet, width: 1.5, points: { show: false }, dash: [4, 3] }] : []),
    ],
  };
}

/** Canvas understands no `light-dark()`: a colour comes from an element, where it is resolved. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Seconds between two marks: never less than one, since the marks say no less. */
const incrs = [1, 2, 5, 10, 15, 30, 60, 120, 300];

function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(language.value, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
}

function short(value: number): string {
  return value.toLocaleString(language.value, { notation: 'compact', maximumFractionDigits: 1 });
}
