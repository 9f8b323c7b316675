import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../src/contracts/names.js';
import { findTool } from '../../src/dev/tools.js';
import { freePort, startProcess, until, untilHttp, type Process } from './processes.js';
import { dynamicConfigArguments } from '../../src/dev/temporal-settings.js';

/** A Temporal dev server with its SQLite file in `directory`; the same ports and file at every start. */
export interface TemporalServer {
  readonly address: string;
  start(): Promise<Process>;
}

export async function createTemporalServer(directory: string): Promise<TemporalServer> {
  const port = await freePort();
  const uiPort = await freePort();
  const address = `127.0.0.1:${String(port)}`;
  return {
    address,
    async start() {
      const process_ = startDevServer({ directory, port, uiPort });
      await untilHttp(`http://127.0.0.1:${String(uiPort)}`);
      // Its pages come before its service ("Frontend is not healthy yet"), and a native connection is tried once.
      await until('an answer of Temporal', () => answers(address), 60_000);
      return process_;
    },
  };
}

/** @param at `directory`: of its file and its log. @returns at once: whoever has started it must be able to end it */
export function startDevServer(at: { directory: string; port: number; uiPort: number }): Process {
  const { directory, port, uiPort } = at;
  return startProcess(
    findTool('temporal', '.holdfast'),
    [
      'server',
      'start-dev',
      '--ip=127.0.0.1',
      `--port=${String(port)}`,
      `--ui-port=${String(uiPort)}`,
      `--db-filename=${join(directory, 'temporal.db')}`,
      '--sqlite-pragma=journal_mode=wal',
      '--sqlite-pragma=synchronous=normal',
      ...dynamicConfigArguments(),
      '--log-level=error',
      ...Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `--search-attribute=${name}=${type}`),
    ],
    join(directory, 'temporal.log'),
  );
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
