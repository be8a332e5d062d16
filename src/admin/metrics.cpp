#include "metrics.hpp"

#include <fulmar/base/memory_reserve.hpp>

#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <unordered_map>
#include <utility>
#include <vector>

namespace fulmar::admin {

namespace {

/// Samples of one name belong together, whatever order they come in.
class family_book {
  public:
    void add(const core::counter_sample& sample) {
        const auto [entry, fresh] = index_.emplace(sample.name, families_.size());
        if (fresh) {
            prometheus::MetricFamily family;
            family.name = sample.name;
            family.help = sample.help;
            family.type =
                sample.monotonic ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
            families_.push_back(std::move(family));
        }
        prometheus::ClientMetric metric;
        for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
        if (sample.monotonic)
            metric.counter.value = sample.value;
        else
            metric.gauge.value = sample.value;
        families_[entry->second].metric.push_back(std::move(metric));
    }

    void add(const char* name, const char* help, bool monotonic, double value,
             std::vector<std::pair<std::string, std::string>> labels = {}) {
        add(core::counter_sample{name, help, monotonic, std::move(labels), value});
    }

    [[nodiscard]] std::string text() const {
        return prometheus::TextSerializer().Serialize(families_);
    }

  private:
    std::vector<prometheus::MetricFamily> families_;
    std::unordered_map<std::string, std::size_t> index_;
};

void add_journal(family_book& book, const journal& log) {
    const journal_counters c = log.counters();
    const auto value = [](std::uint64_t n) { return static_cast<double>(n); };
    book.add("fulmar_journal_changes_total", "Changes written to the journal", true,
             value(c.changes));
    book.add("fulmar_journal_writes_total", "Writes to the journal, each with one sync", true,
             value(c.writes));
    book.add("fulmar_journal_bytes_total", "Bytes written to the journal", true, value(c.bytes));
    book.add("fulmar_journal_folds_total", "Times the journal was folded into the config file",
             true, value(c.folds));
    book.add("fulmar_journal_failures_total", "Writes of the journal that failed", true,
             value(c.failures));
    book.add("fulmar_journal_unfolded_changes", "Changes that the config file does not have", false,
             value(c.unfolded));
    book.add("fulmar_journal_durable", "1 while changes can be made durable", false,
             log.durable() ? 1 : 0);
}

}  // namespace

std::string render_metrics(const core::counters_report& report, const rest_context& context,
                           std::size_t missing) {
    family_book book;
    book.add("fulmar_build_info", "The version that runs", false, 1, {{"version", FULMAR_VERSION}});
    book.add("fulmar_missing_parts",
             "Configured objects that could not be brought up at start and are not there", false,
             static_cast<double>(missing));
    book.add("fulmar_memory_short",
             "1 while there is no memory for anything new: changes and connections are refused",
             false, memory_reserve::whole() ? 0 : 1);
    book.add("fulmar_memory_reserve_given_total",
             "Times that memory ran out and the reserve was used", true,
             static_cast<double>(memory_reserve::times_given()));
    for (const core::counter_sample& sample : report.samples) book.add(sample);
    for (const auto& [status, count] : context.answers)
        book.add("fulmar_rest_answers_total", "REST answers", true, static_cast<double>(count),
                 {{"status", fmt::format("{}", status)}});
    if (context.http != nullptr) {
        book.add("fulmar_rest_connections", "REST connections present", false,
                 context.http->connections);
        book.add("fulmar_rest_connections_total", "REST connections accepted", true,
                 static_cast<double>(context.http->connections_total));
        book.add("fulmar_rest_connections_refused_total",
                 "REST connections closed at once, since there were too many", true,
                 static_cast<double>(context.http->connections_refused));
    }
    if (context.log != nullptr) add_journal(book, *context.log);
    return book.text();
}

}  // namespace fulmar::admin
