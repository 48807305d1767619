// small-disk.ts -- A disk of our own in memory that can really be full, and have room again. Only root may mount one.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  /** Where it is mounted. */
  readonly folder: string;
  /** From now on there is no room for one byte more. */
  fill(): void;
  empty(): void;
  /** Throws when something still uses it. */
  unmount(): void;
}

/** Far more than a test writes; memory is taken only for what is written. */
const ROOMY = 'size=1g';

/** Whether this process may mount a disk here: root of a Linux, and not of every container. */
export const canMountDisks = tryToMount();

/** Mounts an empty disk. */
export function mountSmallDisk(): SmallDisk {
  const parent = mkdtempSync(join(tmpdir(), 'coupon-small-disk-'));
  const folder = join(parent, 'disk');
  mkdirSync(folder);
  mount('-t', 'tmpfs', '-o', ROOMY, 'tmpfs', folder);
  return {
    folder,
    fill() {
      // What is used may grow until the limit is set, which is then refused: below it there is no disk.
      for (let tries = 0; ; tries++) {
        const { blocks, bfree, bsize } = statfsSync(folder);
        try {
          return mount('-o', `remount,size=${(blocks - bfree) * bsize}`, folder);
        } catch (error) {
          if (tries === TRIES_MAX) throw error;
        }
      }
    },
    empty: () => mount('-o', `remount,${ROOMY}`, folder),
    unmount() {
      run('umount', folder);
      rmSync(parent, { recursive: true });
    },
  };
}

const TRIES_MAX = 20;

function mount(...args: readonly string[]): void {
  run('mount', ...args);
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args);
  if (status !== 0) throw new Error(`${program} failed: ${String(stderr)}`);
}

function tryToMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    mountSmallDisk().unmount();
    return true;
  } catch {
    // A container without the right: the caller falls back to what needs none.
    return false;
  }
}
