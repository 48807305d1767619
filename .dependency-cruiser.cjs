// Import rules: imports point down only, so that each part can be read, tested and replaced without what stands above it.
//
//   entries (server, migrate, key, dead, build, workers, local) → app → issuance, coupon → redis, mysql, http, telemetry → invariant, schema

const domain = '^src/(issuance|coupon)/';
const adapters = '^src/(redis|mysql|http|telemetry)/';
const foundation = '^(src/invariant[.]ts|drizzle/schema[.]ts)$';
const entries = '^(src/(server|migrate|key|dead|build)[.]ts|src/local/|workers/)';
const checks = '^(test|bench)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
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
      from: { path: '^(src|workers)/', pathNot: '^src/local/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '^node_modules/(@types|bun-types)/' },
    },
    {
      name: 'foundation-imports-nothing',
      comment: 'invariant and schema stand at the bottom: packages aside, they import nothing of ours.',
      severity: 'error',
      from: { path: foundation },
      to: { path: '^(src|workers|drizzle|test|bench)/', pathNot: foundation },
    },
    {
      name: 'adapters-know-no-coupons',
      comment: 'Redis, MySQL, HTTP and telemetry are adapters: they may import each other and the foundation.',
      severity: 'error',
      from: { path: adapters },
      to: { path: `${domain}|^src/app[.]ts$|${entries}` },
    },
    {
      name: 'domain-knows-no-app',
      comment: 'Issuance and coupon are put together by the app and the entries, never the other way round.',
      severity: 'error',
      from: { path: domain },
      to: { path: `^src/app[.]ts$|${entries}` },
    },
    {
      name: 'app-knows-no-entries',
      comment: 'The app is handed its dependencies, so that it serves on any runtime.',
      severity: 'error',
      from: { path: '^src/(app|config)[.]ts$' },
      to: { path: entries },
    },
    {
      name: 'config-stands-alone',
      comment: 'The environment is read once and handed down; what it configures is none of its business.',
      severity: 'error',
      from: { path: '^src/config[.]ts$' },
      to: { path: `${domain}|${adapters}|^src/app[.]ts$` },
    },
    {
      name: 'entries-are-not-imported',
      comment: 'An entry runs when it is imported. Workers may import their own loop; nobody else may import an entry.',
      severity: 'error',
      from: { pathNot: `${checks}|^workers/|^src/local/` },
      to: { path: entries },
    },
    {
      name: 'local-is-for-people',
      comment: 'Production processes never depend on the private servers of development and tests.',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: '^src/local/' },
      to: { path: '^src/local/' },
    },
    {
      name: 'local-runs-before-packages',
      comment: 'The commands start on a fresh clone, before anything is installed: builtins only.',
      severity: 'error',
      from: { path: '^src/local/', pathNot: '^src/local/seed[.]ts$' },
      to: { path: '^node_modules/', pathNot: '^node_modules/(bun-types|@types)/' },
    },
    {
      name: 'elysia-has-few-doors',
      comment: 'Elysia 2 will change its API: only the app, the HTTP adapter and the route files may know it.',
      severity: 'error',
      from: {
        pathNot: `^src/app[.]ts$|^src/http/|^src/(issuance|coupon)/(routes|drop-routes|load-routes|recovery-routes)[.]ts$|^client/eden-api[.]ts$|${checks}`,
      },
      to: { path: '^node_modules/(elysia|@elysiajs)/' },
    },
    {
      name: 'bun-only-in-entries',
      comment: 'Everything but the entries also runs on Deno.',
      severity: 'error',
      from: { pathNot: `${entries}|${checks}` },
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
      comment: 'Tests and benches look at the code, never the other way round.',
      severity: 'error',
      from: { path: '^(client|src|workers|drizzle)/' },
      to: { path: checks },
    },
    {
      name: 'pages-stand-alone',
      comment: 'Pages speak to the API over HTTP alone: neither is ever bundled into the other.',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^(src|workers|drizzle|test|bench)/' },
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
