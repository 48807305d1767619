// A test about the code itself: the rules of this repository that no linter knows, each shown to catch what it is for.
import { expect, test } from 'bun:test';
import { globSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type Node, parseSync } from '@swc/core';

interface Rule {
  /** The rule as a sentence. */
  name: string;
  appliesTo: RegExp;
  except?: RegExp;
  /** What is wrong with this file; empty when nothing is. */
  faults: (text: string, path: string) => string[];
  /** A file that breaks the rule, and one that keeps it. */
  broken: Sample;
  kept: Sample;
}

interface Sample {
  path: string;
  text: string;
}

const root = resolve(import.meta.dirname, '../..');
const functionLinesMax = 70;
const luaLinesMax = 60;
const lineLengthMax = 160;

const mayReadEnvironment = /^(src\/config\/(config|environment)[.]ts|tools\/|test\/|bench\/)/;
const mayUseBun = /^(src\/runtime\/|src\/commands\/|src\/server[.]ts|tools\/|workers\/|test\/|bench\/)/;

const rules: Rule[] = [
  {
    name: 'every file begins with a comment that says what it is',
    appliesTo: /./,
    faults: (text, path) => {
      const firstLine = text.replace(/^#!.*\n/, '').split('\n')[0] ?? '';
      const says = path.endsWith('.lua') ? /^-- \S+\.lua -- .{15,}/ : /^(\/\/|\/\*\*) .{15,}/;
      return says.test(firstLine) ? [] : [`begins with ${JSON.stringify(firstLine)}`];
    },
    broken: { path: 'src/a.ts', text: "import 'b';\n" },
    kept: { path: 'src/a.ts', text: '// Adds two numbers, exactly.\n' },
  },
  {
    name: `no function has more than ${functionLinesMax} lines`,
    appliesTo: /\.tsx?$/,
    faults: (text, path) =>
      functionsIn(text, path)
        // A test suite is a list of functions: there, what stands in inner ones is counted only in those.
        .map((found) => ({ ...found, counted: path.startsWith('test/') ? found.ownLines : found.lines }))
        .filter(({ counted }) => counted > functionLinesMax)
        .map(({ firstLine, counted }) => `line ${firstLine}: ${counted} lines`),
    broken: { path: 'src/a.ts', text: `const ä = (): void => {\n${'  f();\n'.repeat(functionLinesMax - 1)}};\n` },
    kept: { path: 'src/a.ts', text: `\n\nconst ä = (): void => {\n${'  f();\n'.repeat(functionLinesMax - 2)}};\n` },
  },
  {
    name: 'nothing is left to be done later',
    appliesTo: /./,
    faults: (text) => matches(text, /\b(TOD[O]|FIXM[E]|XX[X])\b/g),
    broken: { path: 'src/a.ts', text: `// ${'TO'}${'DO'}: later\n` },
    kept: { path: 'src/a.ts', text: '// Done.\n' },
  },
  {
    name: 'no check is switched off without a reason',
    appliesTo: /\.tsx?$/,
    faults: (text) =>
      matches(
        text,
        /@ts-(ignor[e]|nochec[k]|expect-erro[r]).*|(oxlint|eslint)-disabl[e](?!.* -- ).*|biome-ignor[e].*/g,
      ),
    broken: { path: 'src/a.ts', text: `// oxlint-${'disable'}-next-line no-var\n` },
    kept: { path: 'src/a.ts', text: `// oxlint-${'disable'}-next-line no-var -- the parser needs one\n` },
  },
  {
    name: 'a file is named in kebab-case, and for its idea',
    appliesTo: /./,
    faults: (_text, path) => {
      const name = basename(path).replace(/(\.(test|config|d))?\.(tsx?|lua)$/, '');
      const isKebab = /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name);
      const saysNothing = /(^|-)(index|utils?|helpers?|managers?|services?|common|misc)(-|$)/.test(name);
      return isKebab && !saysNothing ? [] : ['has a name that says nothing or is not kebab-case'];
    },
    broken: { path: 'src/redis/index.ts', text: '' },
    kept: { path: 'test/unit/flat-combiner.test.ts', text: '' },
  },
  {
    name: 'only the config reads the environment',
    appliesTo: /\.tsx?$/,
    except: mayReadEnvironment,
    faults: (text) => matches(codeOf(text), /\b(process|Bun|Deno|import\.meta)\.env\b/g),
    broken: { path: 'src/redis/client.ts', text: 'const url = process.env.REDIS_URL;\n' },
    kept: { path: 'src/redis/client.ts', text: '// Never process.env here.\nconst url = config.redisUrl;\n' },
  },
  {
    name: 'only entries use what Bun alone has',
    appliesTo: /\.tsx?$/,
    except: mayUseBun,
    faults: (text) => matches(codeOf(text), /\bBun\.\w+|\bimport\.meta\.(dir|path|file)\b/g),
    broken: { path: 'src/http/problem.ts', text: 'const hash = Bun.hash(text);\n' },
    kept: { path: 'src/http/problem.ts', text: '// Not Bun.hash: Deno has none.\n' },
  },
  {
    name: 'no log line holds personal data',
    appliesTo: /^(src|workers)\/.*\.ts$/,
    faults: (text) => matches(codeOf(text), /\blog(ger)?\.\w+\([^)]*\buserIds?\b/g),
    broken: { path: 'src/a.ts', text: "log.info({\n  userId,\n}, 'issued');\n" },
    kept: { path: 'src/a.ts', text: "log.info({ couponId }, 'issued');\n" },
  },
  {
    name: `no line is longer than ${lineLengthMax} characters`,
    appliesTo: /./,
    except: /^client\/api-types[.]ts$/,
    faults: (text) => matches(text, new RegExp(`.{${lineLengthMax + 1},}`, 'g')).map((line) => `${line.slice(0, 60)}…`),
    broken: { path: 'src/a.ts', text: 'x'.repeat(lineLengthMax + 1) },
    kept: { path: 'src/a.ts', text: 'x'.repeat(lineLengthMax) },
  },
  {
    name: 'no test is left out, and none keeps the others out',
    appliesTo: /^test\/.*\.ts$/,
    faults: (text) => matches(codeOf(text), /\b(test|it|describe)\.(onl[y]|ski[p]|tod[o])\b/g),
    broken: { path: 'test/a.test.ts', text: `test.${'only'}('a', run);\n` },
    kept: { path: 'test/a.test.ts', text: "test('a', run);\n" },
  },
  {
    name: `a Lua script has at most ${luaLinesMax} lines, a contract at its head, and one typed caller`,
    appliesTo: /^src\/.*\.lua$/,
    except: /\/included\//,
    faults: (text, path) => {
      const lines = text.trimEnd().split('\n');
      const head = lines
        .slice(
          0,
          lines.findIndex((line) => !line.startsWith('--')),
        )
        .join('\n');
      return [
        ...(lines.length > luaLinesMax ? [`has ${lines.length} lines`] : []),
        ...['KEYS', 'ARGV', 'Reply', 'Cost']
          .filter((word) => !head.includes(word))
          .map((word) => `does not say its ${word}`),
        ...(path === planted || callersOf(basename(path)) === 1 ? [] : ['is not named by exactly one caller']),
      ];
    },
    broken: { path: 'src/stock/scripts/no-such-script.lua', text: '-- KEYS, ARGV, Reply, Cost\nreturn 1\n' },
    kept: { path: 'planted.lua', text: '-- KEYS[1] a hash\n-- ARGV none\n-- Reply 1\n-- Cost O(1)\nreturn 1\n' },
  },
];

/** How many callers name the script as their source. */
function callersOf(script: string): number {
  const named = files.map(({ path, text }) =>
    path.startsWith('src/') ? text.split(`/${script}', import.meta.url)`) : [],
  );
  return named.reduce((sum, parts) => sum + Math.max(0, parts.length - 1), 0);
}

/** Stands for a script whose caller is there. */
const planted = 'planted.lua';

const files = globSync(
  ['client', 'src', 'tools', 'web', 'workers', 'drizzle', 'test', 'bench'].map(
    (folder) => `${folder}/**/*.{ts,tsx,lua}`,
  ),
  { cwd: root },
)
  .filter((path) => !path.includes('node_modules'))
  .map((path) => ({ path, text: readFileSync(resolve(root, path), 'utf8') }));

/** Without tests, and without what is generated. */
const product = files.filter(({ path }) => !path.startsWith('test/') && path !== 'client/api-types.ts');

test('no folder of the product holds more than 15 files', () => {
  const folders = Map.groupBy(product, ({ path }) => path.slice(0, path.lastIndexOf('/')));
  expect([...folders].filter(([, held]) => held.length > 15).map(([folder]) => folder)).toEqual([]);
});

test('no file of the product has more than 300 lines', () => {
  const long = product.filter(({ text }) => text.trimEnd().split('\n').length > 300);
  expect(long.map(({ path }) => path)).toEqual([]);
});

test('there are files to look at, this one among them', () => {
  expect(files.map(({ path }) => path)).toContain('test/tools/tidy.test.ts');
});

for (const rule of rules) {
  test(`${rule.name}`, () => {
    const faults = files
      .filter(({ path }) => rule.appliesTo.test(path) && rule.except?.test(path) !== true)
      .flatMap(({ path, text }) => rule.faults(text, path).map((fault) => `${path}: ${fault}`));
    expect(faults).toEqual([]);
  });

  test(`a file that breaks it is caught, and one that keeps it is not: ${rule.name}`, () => {
    expect(rule.faults(rule.broken.text, rule.broken.path)).toHaveLength(1);
    expect(rule.faults(rule.kept.text, rule.kept.path)).toEqual([]);
  });
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([found]) => found);
}

/** The text without the lines that are comments. */
function codeOf(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
    .join('\n');
}

interface FoundFunction {
  firstLine: number;
  lines: number;
  /** Without the lines of functions inside it. */
  ownLines: number;
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
  'GetterProperty',
  'SetterProperty',
]);

function functionsIn(text: string, path: string): FoundFunction[] {
  // The parser counts bytes, on from whatever it parsed before: a statement of ours in front tells where it begins.
  const source = Buffer.from(`;${text}`);
  const module = parseSync(source.toString('utf8'), {
    syntax: 'typescript',
    tsx: path.endsWith('.tsx'),
    target: 'esnext',
  });
  const lineAt = (position: number): number =>
    source
      .subarray(0, position - module.span.start)
      .toString('latin1')
      .split('\n').length;
  const found: FoundFunction[] = [];
  /** Returns how many lines the functions inside have, the outermost of them alone. */
  const visit = (value: unknown): number => {
    if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + visit(item), 0);
    if (typeof value !== 'object' || value === null) return 0;
    const innerLines = Object.values(value).reduce<number>((sum, item) => sum + visit(item), 0);
    if (!isFunction(value)) return innerLines;
    const firstLine = lineAt(value.span.start);
    const lines = lineAt(value.span.end) - firstLine + 1;
    found.push({ firstLine, lines, ownLines: lines - innerLines });
    return lines;
  };
  visit(module.body);
  return found;
}

function isFunction(value: object): value is Node & { span: { start: number; end: number } } {
  return 'type' in value && 'span' in value && functionTypes.has(String(value.type));
}
