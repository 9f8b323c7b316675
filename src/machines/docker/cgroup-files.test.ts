import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCgroupFiles } from './cgroup-files.js';

const ID = 'a'.repeat(64);
const container = { id: ID, pid: 7, ownsNetwork: true };
let root: string;
let roots: { cgroup: string; proc: string };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-cgroup-'));
  roots = { cgroup: join(root, 'cgroup'), proc: join(root, 'proc') };
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, ...lines: string[]): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

function writeNetwork(): void {
  write(
    'proc/7/net/dev',
    'Inter-|   Receive                            |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs',
    '    lo:     999       9 0 0 0 0 0 0      999       9 0 0 0 0 0 0',
    '  eth0:     100       1 0 0 0 0 0 0       20       1 0 0 0 0 0 0',
    '  eth1:       5       1 0 0 0 0 0 0        1       1 0 0 0 0 0 0',
  );
}

function writeVersion2(limit = '1000'): void {
  write('proc/7/cgroup', `0::/system.slice/docker-${ID}.scope`);
  writeNetwork();
  const group = `cgroup/system.slice/docker-${ID}.scope`;
  write(`${group}/cpu.stat`, 'usage_usec 2500000', 'user_usec 1', 'throttled_usec 500000');
  write(`${group}/memory.current`, '900');
  write(`${group}/memory.stat`, 'anon 1', 'inactive_file 300');
  write(`${group}/memory.max`, limit);
  write(`${group}/io.stat`, '8:0 rbytes=10 wbytes=20 rios=1 wios=1', '8:16 rbytes=1 wbytes=2 rios=1 wios=1');
}

function writeVersion1(): void {
  const path = `/docker/${ID}`;
  write(
    'proc/7/cgroup',
    `5:memory:${path}`,
    `4:cpu,cpuacct:${path}`,
    `3:blkio:${path}`,
    `1:name=systemd:/elsewhere`,
    `0::/`,
  );
  writeNetwork();
  for (const controller of ['cpu', 'cpuacct']) {
    write(`cgroup/${controller}${path}/cpuacct.usage`, '2500000000');
    write(`cgroup/${controller}${path}/cpu.stat`, 'nr_periods 3', 'throttled_time 500000000');
  }
  write(`cgroup/memory${path}/memory.usage_in_bytes`, '900');
  write(`cgroup/memory${path}/memory.stat`, 'hierarchical_memory_limit 1000', 'total_inactive_file 300');
  write(`cgroup/memory${path}/cgroup.procs`, '7', '8', '9');
  write(`cgroup/blkio${path}/blkio.throttle.io_service_bytes_recursive`, '8:0 Read 1', '8:0 Write 30', 'Total 31');
  write('proc/7/io', 'rchar: 500', 'read_bytes: 4', 'write_bytes: 5', 'cancelled_write_bytes: 9');
  write('proc/8/io', 'rchar: 500', 'read_bytes: 7', 'write_bytes: 15');
}

const same = {
  cpuSeconds: 2.5,
  throttledSeconds: 0.5,
  memoryBytes: 600,
  memoryLimitBytes: 1000,
  networkReceiveBytes: 105,
  networkTransmitBytes: 21,
};

describe('readCgroupFiles', () => {
  it('reads version 2', () => {
    writeVersion2();

    expect(readCgroupFiles(container, roots)).toEqual({ ...same, diskReadBytes: 11, diskWrittenBytes: 22 });
  });

  it('reads version 1, where the processes tell what blkio does not; one that has just ended is its parent’s', () => {
    writeVersion1();

    expect(readCgroupFiles(container, roots)).toEqual({ ...same, diskReadBytes: 11, diskWrittenBytes: 30 });
  });

  it('takes the host’s memory for a limit that is none', () => {
    writeVersion2('max');

    expect(readCgroupFiles(container, roots)?.memoryLimitBytes).toBe(totalmem());
  });

  it('counts no network that is another container’s', () => {
    writeVersion2();

    expect(readCgroupFiles({ ...container, ownsNetwork: false }, roots)).toMatchObject({
      networkReceiveBytes: 0,
      networkTransmitBytes: 0,
    });
  });

  it('is undefined when the process is another one’s by now, is gone, or hides a file', () => {
    expect(readCgroupFiles(container, roots)).toBeUndefined();
    writeVersion2();
    expect(readCgroupFiles({ ...container, id: 'b'.repeat(64) }, roots)).toBeUndefined();
    rmSync(join(root, `cgroup/system.slice/docker-${ID}.scope/io.stat`));
    expect(readCgroupFiles(container, roots)).toBeUndefined();
  });
});
