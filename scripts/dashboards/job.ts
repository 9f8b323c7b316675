import { HOLDFAST_QUERIES } from '../../src/metrics/queries.js';
import type { Dashboard, Panel } from './panels.js';

const UNITS: Record<string, { title: string; unit: string }> = {
  cpu: { title: 'CPU (cores)', unit: 'short' },
  memory: { title: 'Memory', unit: 'bytes' },
  network_receive: { title: 'Network received', unit: 'Bps' },
  network_transmit: { title: 'Network sent', unit: 'Bps' },
  disk_read: { title: 'Disk read', unit: 'Bps' },
  disk_write: { title: 'Disk written', unit: 'Bps' },
};

/** The very queries that a job's document is made of, with Grafana's variables in the place of ours. */
function graphs(): Panel[] {
  return Object.entries(HOLDFAST_QUERIES).map(([name, query]) => ({
    title: UNITS[name]?.title ?? name,
    description: `The query "${name}" of preset holdfast, as on the job's page`,
    unit: UNITS[name]?.unit ?? 'short',
    queries: [
      {
        expr: query.replaceAll('{selector}', 'machine=~"$machine"').replaceAll('{interval}', '$__rate_interval'),
        legend: '{{machine}}',
      },
    ],
  }));
}

export const job: Dashboard = {
  uid: 'holdfast-job',
  title: 'Holdfast: job',
  description: "A job's machine, live; HoldfastMachine in the Temporal UI and holdfast show name it",
  variables: [{ name: 'machine', label: 'Machine', metric: 'holdfast_machine_memory_bytes', of: 'machine' }],
  rows: [
    { title: 'Machine $machine', panels: graphs() },
    {
      title: 'Limits',
      panels: [
        {
          title: 'Held back by the CPU limit',
          description: 'Seconds of each second',
          unit: 'percentunit',
          queries: [
            {
              expr: 'max by (machine) (rate(holdfast_machine_cpu_throttled_seconds_total{machine=~"$machine"}[$__rate_interval]))',
              legend: '{{machine}}',
            },
          ],
        },
        {
          title: 'Memory against its limit',
          description: "The host's memory where there is no limit",
          unit: 'bytes',
          queries: [
            {
              expr: 'max by (machine) (holdfast_machine_memory_bytes{machine=~"$machine"})',
              legend: 'used',
            },
            {
              expr: 'max by (machine) (holdfast_machine_memory_limit_bytes{machine=~"$machine"})',
              legend: 'limit',
            },
          ],
        },
      ],
    },
    {
      title: 'Right-sizing: the last runs of each job name',
      panels: [
        {
          title: 'Peak memory',
          description: 'Of the latest job names (metrics.usageSeries)',
          unit: 'bytes',
          kind: 'table',
          queries: [
            { expr: 'max by (project, job_name) (holdfast_usage_memory_peak_bytes)' },
            { expr: 'max by (project, job_name) (holdfast_usage_memory_limit_bytes)' },
          ],
        },
        {
          title: 'Peak CPU',
          description: 'Of the latest job names (metrics.usageSeries)',
          unit: 'short',
          kind: 'table',
          queries: [
            { expr: 'max by (project, job_name) (holdfast_usage_cpu_peak_cores)' },
            { expr: 'max by (project, job_name) (holdfast_usage_cpu_limit_cores)' },
          ],
        },
        {
          title: 'Held back by the CPU limit',
          description: 'Time of the last runs together; holdfast usage says what to do',
          unit: 's',
          kind: 'table',
          queries: [{ expr: 'max by (project, job_name) (holdfast_usage_cpu_throttled_seconds) > 0' }],
        },
        {
          title: 'Killed for their memory',
          description: 'In the last runs together',
          unit: 'short',
          kind: 'table',
          queries: [{ expr: 'max by (project, job_name) (holdfast_usage_oom_kills) > 0' }],
        },
      ],
    },
  ],
};
