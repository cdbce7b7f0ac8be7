/** What the dashboard shows. @module */

/** A panel: its title, the unit as Grafana calls it, and queries with the legends of what they bring. */
export type Panel = readonly [
  title: string,
  unit: string,
  ...queries: readonly (readonly [expr: string, legend: string])[],
];

/** Rows of panels by title. `I` in a query stands for the instances that are looked at. */
export const rows: Readonly<Record<string, readonly Panel[]>> = {
  Traffic: [
    ["Queries by type", "reqps", [
      "sum by (type) (rate(coredns_dns_requests_total{I}[$__rate_interval]))",
      "{{type}}",
    ]],
    ["Queries by zone", "reqps", [
      "sum by (zone) (rate(coredns_dns_requests_total{I}[$__rate_interval]))",
      "{{zone}}",
    ]],
    [
      "Transport and family",
      "reqps",
      [
        "sum by (proto, family) (rate(coredns_dns_requests_total{I}[$__rate_interval]))",
        "{{proto}}, {{family}}",
      ],
      ["sum(rate(coredns_dns_do_requests_total{I}[$__rate_interval]))", "DO bit"],
      ["sum(rate(meridian_tcp_connections_total{I}[$__rate_interval]))", "TCP connections"],
    ],
    [
      "Octets, 95th percentile",
      "bytes",
      [
        "histogram_quantile(0.95, sum by (proto, le) (rate(coredns_dns_request_size_bytes_bucket{I}[$__rate_interval])))",
        "query, {{proto}}",
      ],
      [
        "histogram_quantile(0.95, sum by (proto, le) (rate(coredns_dns_response_size_bytes_bucket{I}[$__rate_interval])))",
        "reply, {{proto}}",
      ],
    ],
  ],
  Answers: [
    ["Replies by RCODE", "reqps", [
      "sum by (rcode) (rate(coredns_dns_responses_total{I}[$__rate_interval]))",
      "{{rcode}}",
    ]],
    ["Replies by plugin", "reqps", [
      "sum by (plugin) (rate(coredns_dns_responses_total{I}[$__rate_interval]))",
      "{{plugin}}",
    ]],
    ["SERVFAIL share", "percentunit", [
      'sum by (instance) (rate(coredns_dns_responses_total{I,rcode="SERVFAIL"}[$__rate_interval])) / ' +
      "sum by (instance) (rate(coredns_dns_responses_total{I}[$__rate_interval]))",
      "{{instance}}",
    ]],
    [
      "Bugs",
      "short",
      ["sum by (plugin) (increase(meridian_faults_total{I}[$__rate_interval]))", "{{plugin}}"],
      ["sum(increase(coredns_panics_total{I}[$__rate_interval]))", "all"],
      [
        "sum by (worker) (increase(meridian_worker_failures_total{I}[$__rate_interval]))",
        "{{worker}} worker",
      ],
    ],
  ],
  "Data plane": [
    [
      "Repeated replies",
      "percentunit",
      [
        "sum by (instance) (rate(meridian_memo_hits_total{I}[$__rate_interval])) / " +
        "(sum by (instance) (rate(meridian_memo_hits_total{I}[$__rate_interval])) + " +
        "sum by (instance) (rate(meridian_memo_misses_total{I}[$__rate_interval])))",
        "{{instance}}",
      ],
    ],
    [
      "Lost",
      "short",
      [
        "sum by (instance) (increase(meridian_udp_kernel_dropped_total{I}[$__rate_interval]))",
        "datagrams, {{instance}}",
      ],
      [
        "sum by (instance) (increase(meridian_log_dropped_lines_total{I}[$__rate_interval]))",
        "lines, {{instance}}",
      ],
    ],
    ["Data workers", "short", ["min by (instance) (meridian_workers{I})", "{{instance}}"]],
  ],
  Latency: [
    [
      "Time to answer",
      "s",
      ...[0.5, 0.95, 0.99].map((quantile) =>
        [
          `histogram_quantile(${quantile}, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket{I}[$__rate_interval])))`,
          `${quantile * 100} %`,
        ] as const
      ),
    ],
    ["99th percentile by zone", "s", [
      "histogram_quantile(0.99, sum by (zone, le) (rate(coredns_dns_request_duration_seconds_bucket{I}[$__rate_interval])))",
      "{{zone}}",
    ]],
    ["The control isolate's timers, 99th percentile late", "s", [
      "histogram_quantile(0.99, sum by (instance, le) (rate(meridian_event_loop_lag_seconds_bucket{I}[$__rate_interval])))",
      "{{instance}}",
    ]],
  ],
  Fleet: [
    [
      "Age of the fleet's state",
      "s",
      ["max by (instance) (meridian_fleet_state_age_seconds{I})", "{{instance}}"],
    ],
    ["Servers of the fleet", "short", [
      "min by (instance) (meridian_fleet_servers{I})",
      "known to {{instance}}",
    ], [
      "max by (instance) (meridian_fleet_diverging_servers{I})",
      "other than {{instance}}",
    ]],
    ["Nodes that serve", "short", [
      "min by (pool, family) (meridian_pool_serving_nodes{I})",
      "{{pool}} {{family}}",
    ]],
    ["Nodes by state", "short", ["max by (pool, state) (meridian_pool_nodes{I})", "{{pool}} {{state}}"]],
    ["All-down", "short", ["max by (pool, family) (meridian_pool_all_down{I})", "{{pool}} {{family}}"]],
    ["What decided", "reqps", [
      "sum by (pool, outcome) (rate(meridian_pool_answers_total{I}[$__rate_interval]))",
      "{{pool}} {{outcome}}",
    ]],
    ["Nodes in answers", "reqps", [
      "topk(20, sum by (node) (rate(meridian_pool_selected_total{I}[$__rate_interval])))",
      "{{node}}",
    ]],
    [
      "Changes",
      "short",
      ["sum by (to) (increase(meridian_health_verdict_changes_total{I}[$__rate_interval]))", "to {{to}}"],
      ["max(meridian_overrides{I})", "overrides in force"],
      [
        "sum by (instance) (increase(meridian_snapshot_epoch{I}[$__rate_interval]))",
        "epochs of {{instance}}",
      ],
    ],
    [
      "All-down policies worked out",
      "short",
      [
        "sum by (pool, policy) (increase(meridian_all_down_answers_total{I}[$__rate_interval]))",
        "{{pool}} {{policy}}",
      ],
      [
        "sum by (pool) (increase(meridian_fail_open_answers_total{I}[$__rate_interval]))",
        "{{pool}} fail-open",
      ],
    ],
    [
      "Regions short of nodes",
      "percentunit",
      ["min by (pool, region) (meridian_pool_region_healthy_ratio{I})", "{{pool}} {{region}} healthy"],
      ["max by (pool, region) (meridian_pool_degraded{I})", "{{pool}} {{region}} degraded"],
    ],
    ["Highest price", "lengthm", ["max by (pool) (meridian_pool_price_max_metres{I})", "{{pool}}"]],
    [
      "Age of the state",
      "s",
      [
        "time() - max by (instance) (meridian_snapshot_published_timestamp_seconds{I})",
        "snapshot of {{instance}}",
      ],
      ["time() - min by (pool) (meridian_partition_made_timestamp_seconds{I})", "partition of {{pool}}"],
    ],
  ],
  Geo: [
    ["Age of geo data", "s", [
      "time() - min by (source) (meridian_geo_built_timestamp_seconds{I})",
      "{{source}}",
    ]],
    ["Taken", "s", ["time() - min by (source) (meridian_geo_loaded_timestamp_seconds{I})", "{{source}}"]],
    [
      "Refused",
      "short",
      ["max by (source) (meridian_geo_refused{I})", "{{source}}"],
      ['sum(increase(meridian_geo_reloads_total{I,outcome="refused"}[$__rate_interval]))', "refusals"],
    ],
    ["How clients are located", "reqps", [
      "sum by (precision) (rate(meridian_pool_locations_total{I}[$__rate_interval]))",
      "{{precision}}",
    ]],
    [
      "Scope of answers",
      "short",
      ...[0.1, 0.5, 0.9].map((quantile) =>
        [
          `histogram_quantile(${quantile}, sum by (family, le) (rate(meridian_pool_scope_prefix_length_bucket{I}[$__rate_interval])))`,
          `${quantile * 100} %, family {{family}}`,
        ] as const
      ),
    ],
    ["Partitions of the present state", "short", [
      "min by (pool, family) (meridian_partition_current{I})",
      "{{pool}} {{family}}",
    ]],
  ],
  Health: [
    ["Probes", "ops", [
      "sum by (kind, result) (rate(meridian_health_probes_total{I}[$__rate_interval]))",
      "{{kind}} {{result}}",
    ]],
    [
      "Probes that start late",
      "s",
      [
        "histogram_quantile(0.99, sum by (instance, le) (rate(meridian_health_probe_lag_seconds_bucket{I}[$__rate_interval])))",
        "99th percentile, {{instance}}",
      ],
    ],
    [
      "Late and discarded",
      "short",
      [
        "sum by (instance) (increase(meridian_health_probes_late_total{I}[$__rate_interval]))",
        "late, {{instance}}",
      ],
      [
        "sum by (kind) (increase(meridian_health_probes_discarded_total{I}[$__rate_interval]))",
        "discarded, {{kind}}",
      ],
    ],
    [
      "The process asks itself",
      "s",
      [
        "histogram_quantile(0.99, sum by (instance, le) (rate(coredns_health_request_duration_seconds_bucket{I}[$__rate_interval])))",
        "99th percentile, {{instance}}",
      ],
      [
        "sum by (instance) (increase(coredns_health_request_failures_total{I}[$__rate_interval]))",
        "failures, {{instance}}",
      ],
    ],
  ],
  "Cache and forward": [
    [
      "Cache",
      "reqps",
      ["sum by (type) (rate(coredns_cache_hits_total{I}[$__rate_interval]))", "hits, {{type}}"],
      ["sum(rate(coredns_cache_misses_total{I}[$__rate_interval]))", "misses"],
      ["sum(rate(coredns_cache_served_stale_total{I}[$__rate_interval]))", "stale"],
      ["sum(rate(coredns_cache_prefetch_total{I}[$__rate_interval]))", "prefetched"],
    ],
    [
      "Cache entries",
      "short",
      ["sum by (type) (coredns_cache_entries{I})", "{{type}}"],
      ["sum by (type) (rate(coredns_cache_evictions_total{I}[$__rate_interval]))", "evictions, {{type}}"],
    ],
    ["Upstreams, 95th percentile", "s", [
      "histogram_quantile(0.95, sum by (to, le) (rate(coredns_proxy_request_duration_seconds_bucket{I}[$__rate_interval])))",
      "{{to}}",
    ]],
    [
      "Upstreams failing",
      "reqps",
      ["sum by (to) (rate(meridian_forward_failures_total{I}[$__rate_interval]))", "{{to}}"],
      [
        "sum by (to) (rate(coredns_proxy_healthcheck_failures_total{I}[$__rate_interval]))",
        "probes of {{to}}",
      ],
      ["sum(rate(coredns_forward_healthcheck_broken_total{I}[$__rate_interval]))", "all down"],
      ["sum(rate(coredns_forward_max_concurrent_rejects_total{I}[$__rate_interval]))", "too many at a time"],
    ],
  ],
  "Reload and process": [
    [
      "Reloads refused",
      "short",
      [
        "sum by (instance) (increase(coredns_reload_failed_total{I}[$__rate_interval]))",
        "Corefile, {{instance}}",
      ],
      [
        'sum(increase(meridian_node_list_reloads_total{I,outcome="refused"}[$__rate_interval]))',
        "node lists",
      ],
      ['sum(increase(meridian_file_reloads_total{I,outcome="refused"}[$__rate_interval]))', "zones"],
    ],
    ["Versions", "short", [
      "count by (version, goversion) (coredns_build_info{I})",
      "{{version}} on {{goversion}}",
    ], ["count by (value) (coredns_reload_version_info{I})", "Corefile {{value}}"]],
    ["CPU", "percentunit", ["rate(process_cpu_seconds_total{I}[$__rate_interval])", "{{instance}}"]],
    [
      "Memory",
      "bytes",
      ["process_resident_memory_bytes{I}", "{{instance}}"],
      ['meridian_heap_bytes{I,kind="used"}', "heap of {{instance}}"],
    ],
    ["Descriptors", "short", ["process_open_fds{I}", "{{instance}}"]],
    ["Up for", "s", ["time() - process_start_time_seconds{I}", "{{instance}}"]],
  ],
  Abuse: [
    ["Taken by no server block", "reqps", [
      'sum by (rcode) (rate(coredns_dns_responses_total{I,zone="dropped"}[$__rate_interval]))',
      "{{rcode}}",
    ]],
    [
      "Access control",
      "reqps",
      ["sum(rate(coredns_acl_blocked_requests_total{I}[$__rate_interval]))", "blocked"],
      ["sum(rate(coredns_acl_filtered_requests_total{I}[$__rate_interval]))", "filtered"],
      ["sum(rate(coredns_acl_dropped_requests_total{I}[$__rate_interval]))", "dropped"],
    ],
    ["Rate limits", "reqps", [
      "sum by (action) (rate(meridian_rrl_limited_total{I}[$__rate_interval]))",
      "{{action}}",
    ]],
    ["Cookies", "reqps", [
      "sum by (state) (rate(meridian_cookie_queries_total{I}[$__rate_interval]))",
      "{{state}}",
    ]],
    [
      "Sockets",
      "short",
      ["sum by (reason) (rate(meridian_udp_dropped_total{I}[$__rate_interval]))", "UDP dropped: {{reason}}"],
      ["sum by (reason) (rate(meridian_tcp_closed_total{I}[$__rate_interval]))", "TCP closed: {{reason}}"],
      ["sum by (reason) (rate(meridian_http_closed_total{I}[$__rate_interval]))", "HTTP closed: {{reason}}"],
      ["sum by (kind) (rate(meridian_socket_faults_total{I}[$__rate_interval]))", "failed: {{kind}}"],
    ],
    [
      "Observations lost",
      "short",
      ["sum by (to) (increase(meridian_dnstap_dropped_total{I}[$__rate_interval]))", "dnstap to {{to}}"],
      [
        "sum by (metric) (increase(meridian_metrics_overflow_total{I}[$__rate_interval]))",
        "series of {{metric}}",
      ],
    ],
  ],
};
