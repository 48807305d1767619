// Import rules: `src` reads as one column, and imports point down only, so that each part can be read, tested and replaced
// without what stands above it. Parts on one line may import each other, but never in a circle.

/** From top to bottom. Each level is a list of folders or files, as regular expressions. */
const column = [
  ['^src/server[.]ts$', '^src/commands/', '^workers/'],
  ['^src/wiring/'],
  ['^src/installation/'],
  ['^src/runtime/'],
  ['^src/app[.]ts$'],
  ['^src/issuing/', '^src/drops/'],
  ['^src/issues/', '^src/operations/'],
  ['^src/webhooks/'],
  ['^src/ledger/', '^src/stock/'],
  ['^src/stream/'],
  ['^src/codes/'],
  ['^src/coupon/'],
  ['^src/auth/'],
  ['^src/http/'],
  ['^src/mysql/', '^src/redis/', '^src/telemetry/'],
  ['^src/config/', '^src/(invariant|operator-error)[.]ts$', '^drizzle/(columns|schema|webhook-tables)[.]ts$'],
];

const any = (patterns) => patterns.join('|');
const entries = any(column[0]);
const checks = '^(test|bench|tools)/';

/** For each level, a rule that forbids what stands above it. */
const pointDown = column.slice(1).map((level, i) => ({
  name: `imports-point-down: ${any(level).replaceAll(/[\\^$\[\]]/g, '')}`,
  comment: 'Imports point down the column at the head of this file.',
  severity: 'error',
  from: { path: any(level) },
  to: { path: any(column.slice(0, i + 1).flat()) },
}));

/** What folders of one level, or of neighbouring ones, must not know of each other. */
const apart = [
  ['^src/issues/', '^src/operations/', 'What has become of an issue is no business of operators.'],
  ['^src/stock/', '^src/ledger/', 'Redis decides and MySQL records; who needs both stands above both.'],
  ['^src/(mysql|redis|telemetry)/', '^src/config/', 'Adapters are handed their settings.'],
  [
    '^src/config/',
    '^src/(?!config/|operator-error[.]ts)',
    'The environment is read once and handed down; what it configures is not its business.',
  ],
].map(([from, to, comment]) => ({
  name: `apart: ${from} ${to}`.replaceAll(/[\\^$]/g, ''),
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...pointDown,
    ...apart,
    {
      name: 'no-cycles',
      comment: 'A cycle means that two files are one idea, or that one of them knows too much.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'Every import names a file or a package that is there.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^bun(:|$)' },
    },
    {
      name: 'declared',
      comment: 'What runs in production is a dependency in package.json, not a guest of another package.',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '^node_modules/(@types|bun-types)/' },
    },
    {
      name: 'entries-are-not-imported',
      comment: 'An entry runs when it is imported. Workers may import their own loop; nobody else may import an entry.',
      severity: 'error',
      from: { pathNot: `${checks}|^workers/` },
      // What the entries of commands share.
      to: { path: entries, pathNot: '^src/commands/command[.]ts$' },
    },
    {
      name: 'elysia-has-few-doors',
      comment: 'Elysia 2 will change its API: only the app, the HTTP adapter and the route files may know it.',
      severity: 'error',
      from: {
        pathNot: `^src/app[.]ts$|^src/http/|^src/[a-z]+/[a-z-]*routes[.]ts$|^client/eden-api[.]ts$|${checks}`,
      },
      to: { path: '^node_modules/(elysia|@elysiajs)/' },
    },
    {
      name: 'bun-only-in-entries',
      comment: 'Everything but the entries also runs on Deno.',
      severity: 'error',
      from: { pathNot: `${entries}|^src/runtime/|${checks}` },
      to: { path: '^bun(:|$)' },
    },
    {
      name: 'client-stands-alone',
      comment:
        'The client runs in other programs and in browsers: no package, nothing of a runtime, nothing of the server.',
      severity: 'error',
      from: { path: '^client/', pathNot: '^client/eden-api[.]ts$' },
      to: { pathNot: '^client/' },
    },
    {
      name: 'eden-is-told-types',
      comment: 'What Eden is told of the API is a type of Elysia, and must not bring Elysia into a bundle.',
      severity: 'error',
      from: { path: '^client/eden-api[.]ts$' },
      to: { pathNot: '^client/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'production-knows-no-checks',
      comment: 'Tests, benches and tools look at the code, never the other way round.',
      severity: 'error',
      from: { path: '^(client|src|workers|drizzle)/' },
      to: { path: checks },
    },
    {
      name: 'pages-stand-alone',
      comment: 'Pages speak to the API over HTTP alone: neither is ever bundled into the other.',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^(src|workers|drizzle|test|bench|tools)/' },
    },
    {
      name: 'nothing-knows-pages',
      comment: 'They are built and served as files.',
      severity: 'error',
      from: { path: '^(src|workers|drizzle)/' },
      to: { path: '^web/' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    builtInModules: { add: ['bun', 'bun:test', 'bun:sqlite', 'bun:ffi', 'bun:jsc'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['bun', 'import', 'require', 'node', 'default', 'types'],
    },
  },
};
