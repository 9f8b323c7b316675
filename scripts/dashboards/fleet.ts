import type { Dashboard } from './panels.js';

const RATE = '$__rate_interval';
const W = '{instance=~"$instance"}';

function quantile(part: number, metric: string, by: string[] = []): string {
  const labels = ['le', ...by].join(', ');
  return `histogram_quantile(${String(part)}, sum by (${labels}) (rate(${metric}_bucket${W}[${RATE}])))`;
}

/**
 * Counts of open jobs are the cluster's, the same from each worker: `max`. What a worker has done itself is summed up. Machines are of
 * no chosen worker, since `instance` is the machine where they are targets of their own (fleet.yml); of two workers that both sample one,
 * the higher counts.
 */
export const fleet: Dashboard = {
  uid: 'holdfast-fleet',
  title: 'Holdfast: fleet',
  description: 'Queue, engines, failures, traces, metrics and Temporal, over all workers',
  variables: [{ name: 'instance', label: 'Worker', metric: 'holdfast_version_info', of: 'instance', many: true }],
  rows: [
    {
      title: 'Jobs',
      panels: [
        {
          title: 'Open jobs by state',
          description: 'pending: waiting for a machine',
          unit: 'short',
          stacked: true,
          queries: [{ expr: `max by (state) (holdfast_jobs${W})`, legend: '{{state}}' }],
        },
        {
          title: 'Finished jobs',
          description: 'By where they came from',
          unit: 'cpm',
          queries: [{ expr: `sum by (source) (rate(holdfast_jobs_total${W}[${RATE}])) * 60`, legend: '{{source}}' }],
        },
        {
          title: 'Time in the queue',
          description: 'From the start of the workflow to the machine',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'holdfast_job_queue_duration_seconds'), legend: 'median' },
            { expr: quantile(0.95, 'holdfast_job_queue_duration_seconds'), legend: '95 %' },
          ],
        },
        {
          title: 'Duration of jobs',
          description: 'From the machine to the final status',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'holdfast_job_duration_seconds'), legend: 'median' },
            { expr: quantile(0.95, 'holdfast_job_duration_seconds'), legend: '95 %' },
          ],
        },
        {
          title: 'Duration of stages, 95 %',
          description: 'Sources, cache, script, uploads',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'holdfast_job_stage_duration_seconds', ['stage']), legend: '{{stage}}' }],
        },
      ],
    },
    {
      title: 'Failures',
      panels: [
        {
          title: 'Failed jobs by reason',
          description: "GitLab's failure reasons",
          unit: 'short',
          stacked: true,
          queries: [
            {
              expr: `sum by (failure_reason) (increase(holdfast_failed_jobs_total${W}[${RATE}]))`,
              legend: '{{failure_reason}}',
            },
          ],
        },
        {
          title: 'Failed jobs by whose fault it is',
          description: 'Who must act: the user, the runner, what it stands on, the coordinator',
          unit: 'short',
          stacked: true,
          queries: [
            { expr: `sum by (fault) (increase(holdfast_failed_jobs_total${W}[${RATE}]))`, legend: '{{fault}}' },
          ],
        },
        {
          title: 'Killed for their memory',
          description: 'Steps; holdfast usage says which jobs',
          unit: 'short',
          queries: [{ expr: `sum(increase(holdfast_oom_kills_total${W}[${RATE}]))`, legend: 'out of memory' }],
        },
      ],
    },
    {
      title: 'Engines',
      panels: [
        {
          title: 'Machines and capacity',
          description: 'Leased machines of each engine, and how many it takes',
          unit: 'short',
          queries: [
            { expr: `max by (engine) (holdfast_machines${W})`, legend: '{{engine}}' },
            { expr: `max by (engine) (holdfast_capacity${W})`, legend: '{{engine}} capacity' },
          ],
        },
        {
          title: 'CPU of all machines',
          description: 'Cores',
          unit: 'short',
          queries: [
            { expr: `sum(max by (machine) (rate(holdfast_machine_cpu_seconds_total[${RATE}])))`, legend: 'cores' },
          ],
        },
        {
          title: 'Memory of all machines',
          description: 'Without page cache that can be dropped',
          unit: 'bytes',
          queries: [{ expr: 'sum(max by (machine) (holdfast_machine_memory_bytes))', legend: 'memory' }],
        },
      ],
    },
    {
      title: 'Trace, coordinator and metrics',
      panels: [
        {
          title: 'Trace lag',
          description: 'From a byte in the store to the coordinator having it',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'holdfast_trace_upload_lag_seconds'), legend: '95 %' }],
        },
        {
          title: 'Trace bytes',
          description: 'Printed by steps',
          unit: 'Bps',
          queries: [{ expr: `sum(rate(holdfast_trace_bytes_total${W}[${RATE}]))`, legend: 'bytes' }],
        },
        {
          title: 'Answers of the coordinator',
          description: 'By endpoint and status',
          unit: 'reqps',
          queries: [
            {
              expr: `sum by (endpoint, status) (rate(holdfast_api_request_statuses_total${W}[${RATE}]))`,
              legend: '{{endpoint}} {{status}}',
            },
          ],
        },
        {
          title: 'Collections of metrics by outcome',
          description: 'retried: Prometheus could not be asked, and is asked again',
          unit: 'short',
          stacked: true,
          queries: [
            {
              expr: `sum by (outcome) (increase(holdfast_metrics_collections_total${W}[${RATE}]))`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          title: 'Flagged jobs',
          description: 'Evidence for a person (metrics.rules); holdfast jobs --flag finds them',
          unit: 'short',
          queries: [{ expr: `sum by (flag) (increase(holdfast_flagged_jobs_total${W}[${RATE}]))`, legend: '{{flag}}' }],
        },
      ],
    },
    {
      title: 'Temporal and the workers',
      panels: [
        {
          title: 'Schedule to start of activities, 95 %',
          description: 'How long work waits for a worker, by queue; a pool queue waits for machines',
          unit: 's',
          queries: [
            {
              expr: quantile(0.95, 'temporal_activity_schedule_to_start_latency_seconds', ['task_queue']),
              legend: '{{task_queue}}',
            },
          ],
        },
        {
          title: 'Requests to Temporal, 95 %',
          description: 'Without long polls',
          unit: 's',
          queries: [
            { expr: quantile(0.95, 'temporal_request_latency_seconds', ['operation']), legend: '{{operation}}' },
          ],
        },
        {
          title: 'Slots in use',
          description: 'Of each kind of task',
          unit: 'short',
          queries: [{ expr: `sum by (worker_type) (temporal_worker_task_slots_used${W})`, legend: '{{worker_type}}' }],
        },
        {
          title: 'Memory of the workers',
          description: 'Resident',
          unit: 'bytes',
          queries: [{ expr: `process_resident_memory_bytes${W}`, legend: '{{instance}}' }],
        },
        {
          title: 'CPU of the workers',
          description: 'Cores',
          unit: 'short',
          queries: [{ expr: `rate(process_cpu_seconds_total${W}[${RATE}])`, legend: '{{instance}}' }],
        },
        {
          title: 'Event loop lag',
          description: '99th percentile',
          unit: 's',
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds${W}`, legend: '{{instance}}' }],
        },
      ],
    },
  ],
};
