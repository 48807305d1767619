# Dockerfile -- One image for every process; the command says which: the API (as it is), `bun workers/worker.ts`,
# `bun src/commands/migrate.ts`, `bun src/commands/keys.ts`, `bun src/commands/dead-letters.ts`,
# `bun src/commands/reconcile.ts`, `bun src/commands/archive.ts`, `bun src/commands/partitions.ts`, `bun src/commands/preflight.ts`, `bun src/commands/detach.ts`. It runs without root and needs no writable disk but /tmp.

# The version that the types in package.json are pinned to.
ARG BUN_VERSION=1.4.5

FROM oven/bun:${BUN_VERSION}-slim AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
# No script of a package runs: none is needed, and each would be somebody else's code in our build. Peers that we use are
# dependencies of ours; the others, such as the compiler, are for types alone and two fifths of the size.
RUN bun install --frozen-lockfile --production --omit=peer --ignore-scripts

FROM oven/bun:${BUN_VERSION}-slim AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --ignore-scripts
# .dockerignore names what comes along.
COPY . .
# The pages of the console, where there are any; then without the tools that built them.
RUN bun run --if-present build && rm -rf node_modules

FROM oven/bun:${BUN_VERSION}-slim AS run
ARG VERSION=unknown
LABEL org.opencontainers.image.title="coupon-issuing" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
# BUN_RUNTIME_TRANSPILER_CACHE_PATH=0: nothing is written beside the program, so that its disk can be read-only.
ENV NODE_ENV=production BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app ./
# By number, so that Kubernetes can see that it is not root. It is the user `bun` of the base image, and owns none of the files.
USER 1000:1000
EXPOSE 3000 3001
# API and worker alike: whichever of the two runs here answers on its port.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["bun", "-e", "const { PORT, WORKER_PORT } = process.env; await Promise.any([PORT || 3000, WORKER_PORT || 3001].map(async (port) => { if (!(await fetch(`http://127.0.0.1:${port}/livez`)).ok) throw new Error('not alive'); }))"]
# Bun itself and not `bun run`: SIGTERM must reach the process that drains.
CMD ["bun", "src/server.ts"]
