// Installs Debian packages on behalf of a newcomer, without letting the system start the services that come with them.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { findProgram } from './find-program.ts';
import { mustRun, runCommand } from './run-command.ts';

const policyFile = '/usr/sbin/policy-rc.d';
const keptPolicyFile = `${policyFile}.before-coupon`;
// apt may be busy with the updates of the day: wait for it, with a bound.
const lockWaitSecondsMax = 180;

/** Whether we may install here: as root on Debian, Ubuntu or one of their kin. */
export function canInstallWithApt(): boolean {
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/**
 * Installs, of each list of alternatives, the first set of packages that this release has.
 *
 * @throws Error with what apt printed when it fails
 */
export async function installWithApt(wanted: readonly (readonly string[][])[]): Promise<string[]> {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = async (...args: string[]): Promise<string> =>
    await mustRun('apt-get', ['-q', '-y', '-o', `DPkg::Lock::Timeout=${lockWaitSecondsMax}`, ...args], { environment });
  await aptGet('update');
  const names = (await Promise.all(wanted.map(firstAvailable))).flat();
  await withoutStartingServices(() => aptGet('install', '--no-install-recommends', ...names));
  return names;
}

async function firstAvailable(alternatives: readonly string[][]): Promise<string[]> {
  for (const names of alternatives) {
    const known = await Promise.all(names.map(isKnown));
    if (known.every(Boolean)) return names;
  }
  throw new Error(`apt knows none of these packages: ${alternatives.flat().join(', ')}`);
}

async function isKnown(name: string): Promise<boolean> {
  const environment = { ...process.env, LC_ALL: 'C' };
  const { output } = await runCommand('apt-cache', ['policy', name], { environment });
  return /^ {2}Candidate: (?!\(none\))/m.test(output);
}

/** A policy of 101 forbids package scripts to start anything; whatever policy the machine had is put back. */
async function withoutStartingServices(run: () => Promise<unknown>): Promise<void> {
  // A kept policy that is there already is the machine's own, from a run of ours that was killed.
  if (existsSync(policyFile) && !existsSync(keptPolicyFile)) renameSync(policyFile, keptPolicyFile);
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await run();
  } finally {
    if (existsSync(keptPolicyFile)) renameSync(keptPolicyFile, policyFile);
    else rmSync(policyFile, { force: true });
  }
}
