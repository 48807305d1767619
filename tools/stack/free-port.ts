// Ports on loopback: one that is free, and whether a certain one is.
import { createServer } from 'node:net';

/** A TCP port of 127.0.0.1 that was free a moment ago. Whoever takes it must be ready to lose the race and ask again. */
export function freePort(): Promise<number> {
  return bindOnce(0, '127.0.0.1');
}

/** Whether a server of ours could listen on this port, on all addresses. Errors other than "taken" are thrown. */
export async function isPortFree(port: number): Promise<boolean> {
  try {
    await bindOnce(port, '0.0.0.0');
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
}

function bindOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error(`the listening socket has no port: ${String(address)}`));
      });
    });
  });
}
