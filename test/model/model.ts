// model.ts -- Entry of `bun run model`: searches a world of the protocol for as long as one likes, and tells a broken promise as a story.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { searchOnCores } from './cores.ts';
import { type Guard, guardFiles } from './guards.ts';
import { type WorldName, worlds } from './worlds.ts';

const usage = `bun run model                                every world, up to 1,000,000 states each
bun run model --world NAME --states N        one of: ${Object.keys(worlds).join(', ')}
bun run model --without "GUARD"              leaves a guard out; --guards lists them
bun run model --drive N                      drives stories through real stores, from N times the usual states; prints their coverage
bun run model --quiet N                      takes every Nth state to its quiet end (default 4, 0: none)
bun run model --cores N                      on so many cores (default: all)`;

const { values } = parseArgs({
  options: {
    world: { type: 'string' },
    states: { type: 'string', default: '1000000' },
    without: { type: 'string' },
    quiet: { type: 'string', default: '4' },
    drive: { type: 'string' },
    cores: { type: 'string', default: String(availableParallelism()) },
    guards: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help) end(0, usage);
if (values.guards)
  end(
    0,
    Object.entries(guardFiles)
      .map(([guard, file]) => `${guard}  (${file})`)
      .join('\n'),
  );
if (values.without !== undefined && !(values.without in guardFiles))
  end(2, `there is no guard "${values.without}"\n${usage}`);
if (values.world !== undefined && !(values.world in worlds)) end(2, `there is no world "${values.world}"\n${usage}`);

if (values.drive !== undefined) process.exit(await driveStories(Number(values.drive)));
const statesMax = Number(values.states);
const quietEvery = Number(values.quiet);
const cores = Number(values.cores);
if (!(statesMax > 0) || !(quietEvery >= 0) || !(cores > 0)) end(2, usage);
const without = values.without === undefined ? [] : [values.without as Guard];
const names = values.world === undefined ? Object.keys(worlds) : [values.world];
let areKept = true;
for (const name of names) areKept = (await run(name as WorldName)) && areKept;
process.exit(areKept ? 0 : 1);

async function run(name: WorldName): Promise<boolean> {
  const startMs = performance.now();
  const onProgress = (depth: number, states: number): void => {
    const perSecond = Math.round(states / ((performance.now() - startMs) / 1000));
    process.stderr.write(`\r  ${name}: depth ${depth}, ${states.toLocaleString('en')} states, ${perSecond}/s `);
  };
  const options = { world: worlds[name], statesMax, quietEvery };
  const { broken, states, depth, isComplete, bytes } = await searchOnCores(options, cores, without, onProgress);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const size = `${states.toLocaleString('en')} states to depth ${depth} in ${seconds} s, ${Math.ceil(bytes / 2 ** 20)} MB`;
  process.stderr.write('\r');
  if (broken === null) {
    console.log(`${name}: no promise broken in ${isComplete ? 'all ' : ''}${size}`);
    return true;
  }
  console.log(`${name}: ${broken.promise}, after ${broken.story.length} steps (${size}):`);
  for (const [i, step] of broken.story.entries()) console.log(`  ${String(i + 1).padStart(2)}  ${step}`);
  return false;
}

/** Runs the stories of test/conformance on private stores. */
async function driveStories(factor: number): Promise<number> {
  if (!(factor > 0)) end(2, usage);
  const report = join(mkdtempSync(join(tmpdir(), 'coupon-model-')), 'coverage.txt');
  const env = { ...process.env, CONFORMANCE_FACTOR: String(factor), CONFORMANCE_REPORT: report };
  const args = [process.execPath, resolve(import.meta.dirname, '../../tools/test.ts'), 'test/conformance'];
  const code = await Bun.spawn(args, { env, stdout: 'inherit', stderr: 'inherit' }).exited;
  if (existsSync(report)) console.log(readFileSync(report, 'utf8'));
  rmSync(dirname(report), { recursive: true });
  return code;
}

function end(code: number, text: string): never {
  console.log(text);
  process.exit(code);
}
