// languages.ts -- The languages whose generated clients are tried: the programs that each needs, and how its client is made and run.

import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findProgram } from '../../tools/stack/find-program.ts';
import { mustRun } from '../../tools/stack/run-command.ts';

const OPENAPI_GENERATOR = '7.25.0';
const OPENAPI_PYTHON_CLIENT = '0.29.1';

/** A folder of its own, with the document in `openapi.json`; a server, and a coupon that is open. */
export interface Trial {
  readonly folder: string;
  readonly url: string;
  readonly couponId: number;
}

export interface Language {
  readonly name: string;
  /** Programs that must be on PATH. */
  readonly needs: readonly string[];
  /** Makes the client, compiles it, issues the coupon twice, and gives what the program printed. */
  run(trial: Trial): Promise<string>;
}

/** Programs that a language needs and that are not here. */
export function missingFor({ needs }: Language): readonly string[] {
  return needs.filter((program) => findProgram(program) === undefined);
}

export const languages: readonly Language[] = [
  { name: 'Java', needs: ['java', 'mvn'], run: runJava },
  { name: 'Kotlin', needs: ['java', 'mvn'], run: runKotlin },
  { name: 'Go', needs: ['java', 'mvn', 'go'], run: runGo },
  { name: 'Python', needs: ['python3'], run: runPython },
];

async function runJava(trial: Trial): Promise<string> {
  const client = await generate(trial, 'java', ['--additional-properties=library=native']);
  await copyFile(programFile('Main.java'), join(client, 'src/main/java/Main.java'));
  return await compileAndRun(client, 'Main', trial);
}

async function runKotlin(trial: Trial): Promise<string> {
  const client = await generate(trial, 'kotlin', ['--additional-properties=serializationLibrary=jackson']);
  await copyFile(programFile('Main.kt'), join(client, 'src/main/kotlin/Main.kt'));
  await copyFile(programFile('kotlin-pom.xml'), join(client, 'pom.xml'));
  return await compileAndRun(client, 'MainKt', trial);
}

async function runGo(trial: Trial): Promise<string> {
  const client = await generate(trial, 'go', ['--git-user-id=example', '--git-repo-id=coupons']);
  await mkdir(join(client, 'issue'));
  await copyFile(programFile('main.go'), join(client, 'issue/main.go'));
  await mustRun('go', ['build', './...'], { folder: client });
  return await mustRun('go', ['run', './issue', ...argumentsOf(trial)], { folder: client });
}

async function runPython(trial: Trial): Promise<string> {
  const { folder } = trial;
  await mustRun('python3', ['-m', 'venv', 'venv'], { folder });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const python = join(folder, 'venv/bin/python');
  await mustRun(python, [...pip, `openapi-python-client==${OPENAPI_PYTHON_CLIENT}`], { folder });
  // The name is that of the package: without metadata, the folder is the package.
  const output = ['--meta', 'none', '--output-path', 'coupon_issuing_client'];
  // The generator calls the formatter that was installed with it.
  const environment = { ...process.env, PATH: `${join(folder, 'venv/bin')}:${process.env.PATH}` };
  await mustRun('openapi-python-client', ['generate', '--path', 'openapi.json', ...output, '--fail-on-warning'], {
    folder,
    environment,
  });
  await copyFile(programFile('issue.py'), join(folder, 'issue.py'));
  return await mustRun(python, ['issue.py', ...argumentsOf(trial)], { folder });
}

/** Makes a client with openapi-generator; gives its folder. */
async function generate({ folder }: Trial, generator: string, options: readonly string[]): Promise<string> {
  const jar = `openapi-generator-cli-${OPENAPI_GENERATOR}.jar`;
  const artifact = `org.openapitools:openapi-generator-cli:${OPENAPI_GENERATOR}`;
  await mustRun('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
  const client = join(folder, 'client');
  await mustRun('java', ['-jar', jar, 'generate', '-i', 'openapi.json', '-g', generator, '-o', client, ...options], {
    folder,
  });
  return client;
}

async function compileAndRun(client: string, main: string, trial: Trial): Promise<string> {
  const classPath = ['dependency:build-classpath', '-Dmdep.outputFile=class-path.txt'];
  await mustRun('mvn', ['-q', '-B', 'compile', ...classPath], { folder: client });
  const libraries = (await readFile(join(client, 'class-path.txt'), 'utf8')).trim();
  return await mustRun('java', ['-cp', `target/classes:${libraries}`, main, ...argumentsOf(trial)], { folder: client });
}

function argumentsOf({ url, couponId }: Trial): readonly string[] {
  return [url, String(couponId)];
}

function programFile(name: string): string {
  return resolve(import.meta.dirname, 'programs', name);
}
