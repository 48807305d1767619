# Dockerfile -- One image for every process; the command says which: the API (as it is), `bun workers/worker.ts`,
# `bun src/commands/migrate.ts`, `bun src/commands/keys.ts`, `bun src/commands/dead-letters.ts`,
# `bun src/commands/reconcile.ts`, `bun src/commands/archive.ts`, `bun src/commands/partitions.ts`, `bun src/commands/preflight.ts`, `bun src/commands/detach.ts`. It runs without root and needs no writable disk but /tmp.

# The version that the types in package.json are pinned to.
ARG BUN_VERSION=1.4.5
# With a leading @, as in @sha256:…: see deploy/README.md.
ARG BUN_DIGEST=

FROM oven/bun:${BUN_VERSION}-slim${BUN_DIGEST} AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
# No script of a package runs: none is needed, and each would be somebody else's code in our build. Peers that we use are
# dependencies of ours; the others, such as the compiler, are for types alone and two fifths of the size.
# Nothing that only editors and debuggers read, which is half of the size: declarations, source maps, sources of what is compiled, notes.
RUN bun install --frozen-lockfile --production --omit=peer --ignore-scripts && \
    find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -iname '*.md' \) -delete

FROM oven/bun:${BUN_VERSION}-slim${BUN_DIGEST} AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --ignore-scripts
# .dockerignore names what comes along.
COPY . .
# The pages of the console, where there are any; then without the tools that built them.
RUN bun run --if-present build && rm -rf node_modules

FROM oven/bun:${BUN_VERSION}-slim${BUN_DIGEST} AS run
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
# By bash's own sockets: a check every few seconds should not start another runtime beside the one that works.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["bash", "-c", "for port in ${PORT:-3000} ${WORKER_PORT:-3001}; do { exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ] && exit 0; } 2>/dev/null; done; exit 1"]
# Bun itself and not `bun run`: SIGTERM must reach the process that drains.
CMD ["bun", "src/server.ts"]
