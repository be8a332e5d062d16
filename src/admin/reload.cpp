#include "reload.hpp"

#include "spec_diff.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace fulmar::admin {

namespace {

/// One reload on its way. Owned by the continuation that it waits for.
class reload_op final : public std::enable_shared_from_this<reload_op> {
  public:
    reload_op(rest_context& context, bool dry_run, std::function<void(reload_outcome)> done)
        : context_(context), done_(std::move(done)) {
        report_.dry_run = dry_run;
    }

    void start(change_gate::pass pass) {
        pass_ = std::move(pass);
        auto loaded = load_config(context_.config_path);
        if (!loaded) return finish(tl::unexpected(std::move(loaded).error()));
        wanted_ = std::move(*loaded);
        report_.needs_restart = changed_options(context_.options, wanted_.config.options);
        report_.warnings = wanted_.config.warnings;
        ask();
    }

  private:
    void ask() {
        context_.core.submit(core::query(core::get_spec{}), false,
                             [self = shared_from_this()](const control_client::outcome& outcome,
                                                         std::uint64_t revision) {
                                 if (!outcome) return self->give_up(outcome.error());
                                 self->report_.revision = revision;
                                 self->compare(std::get<core::target_spec>(*outcome));
                             });
    }

    void compare(const core::target_spec& running) {
        // Where the file was not edited, what REST has changed since is newer than it. What could
        // not be brought up at start is tried again in either case.
        edited_ = context_.log == nullptr || context_.log->base_digest() != wanted_.digest ||
                  context_.log->counters().unfolded == 0;
        if (!edited_) {
            wanted_.config.spec = context_.log->configured();
            resolve_paths(wanted_.config, folder_of(context_.config_path));
        }
        for (core::change& change : diff(running, wanted_.config.spec))
            report_.steps.push_back({std::move(change), std::nullopt});
        if (report_.dry_run) return finish(std::move(report_));
        next_step();
    }

    void next_step() {
        if (at_ == report_.steps.size()) return record();
        // Nothing waits for the journal: the file has it all, and the journal is told so at the
        // end.
        context_.core.submit(report_.steps[at_].change, false,
                             [self = shared_from_this()](const control_client::outcome& outcome,
                                                         std::uint64_t revision) {
                                 if (!outcome)
                                     self->report_.steps[self->at_].failed = outcome.error();
                                 else
                                     self->report_.revision = revision;
                                 ++self->at_;
                                 self->next_step();
                             });
    }

    void record() {
        if (context_.log == nullptr || !edited_) return finish(std::move(report_));
        context_.rebase(wanted_.digest, wanted_.config.spec,
                        [self = shared_from_this()](result<void> outcome) {
                            self->report_.recorded = std::move(outcome);
                            self->finish(std::move(self->report_));
                        });
    }

    void give_up(const error& why) {
        problem_list problems;
        problems.add({"", 0, why.message, why.remedy});
        finish(tl::unexpected(std::move(problems)));
    }

    void finish(reload_outcome outcome) {
        pass_.reset();
        std::exchange(done_, nullptr)(std::move(outcome));
    }

    rest_context& context_;
    std::function<void(reload_outcome)> done_;
    change_gate::pass pass_;
    loaded_config wanted_;
    reload_report report_;
    std::size_t at_ = 0;
    bool edited_ = true;
};

}  // namespace

std::size_t reload_report::failures() const {
    return static_cast<std::size_t>(std::count_if(
        steps.begin(), steps.end(), [](const step& one) { return one.failed.has_value(); }));
}

void reload_config(rest_context& context, bool dry_run, std::function<void(reload_outcome)> done) {
    auto op = std::make_shared<reload_op>(context, dry_run, std::move(done));
    context.gate.enter(true, [op](change_gate::pass pass) { op->start(std::move(pass)); });
}

}  // namespace fulmar::admin
