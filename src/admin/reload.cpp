#include "reload.hpp"

#include "access.hpp"
#include "config_history.hpp"
#include "spec_diff.hpp"

#include <fulmar/core/device_paths.hpp>
#include <fulmar/core/fields/device_fields.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace fulmar::admin {

namespace {

/// One reload on its way. Owned by the continuation that it waits for.
class reload_op final : public std::enable_shared_from_this<reload_op> {
  public:
    reload_op(rest_context& context, reload_options how, std::function<void(reload_outcome)> done)
        : context_(context),
          how_(how),
          folder_(folder_of(context.config_path)),
          done_(std::move(done)) {
        report_.dry_run = how.dry_run;
    }

    void start(change_lock::guard pass) {
        pass_ = std::move(pass);
        auto loaded = load_config(context_.config_path);
        if (!loaded) return refuse({std::move(loaded).error(), {}, {}, {}});
        file_ = std::move(*loaded);
        take_client_roles();
        report_.needs_restart = changed_options(context_.options, file_.config.options);
        report_.warnings = file_.config.warnings;
        if (context_.trust_path != nullptr && !how_.dry_run)
            for (const core::device_spec& device : file_.config.spec.devices)
                for (const auto path : core::device_paths) context_.trust_path(device.*path);
        ask<core::target_spec>(core::get_spec{}, [this](core::target_spec running) {
            running_ = std::move(running);
            ask_devices();
        });
    }

  private:
    /// As tokens and certificates, whatever becomes of the rest.
    void take_client_roles() {
        if (how_.dry_run || context_.access == nullptr) return;
        const std::vector<client_role>& roles = file_.config.options.admin.client_roles;
        context_.access->take_client_roles(roles);
        context_.options.admin.client_roles = roles;
    }

    /// Asks the core; an error ends it all.
    template <typename Answer, typename Next>
    void ask(core::query what, Next next) {
        context_.core.submit(std::move(what), false,
                             [self = shared_from_this(), next = std::move(next)](
                                 control_client::outcome outcome, std::uint64_t revision) {
                                 if (!outcome) return self->give_up(outcome.error());
                                 self->report_.revision = revision;
                                 next(std::get<Answer>(std::move(*outcome)));
                             });
    }

    void ask_devices() {
        using devices = std::vector<core::device_status>;
        ask<devices>(core::list_devices{}, [this](const devices& all) {
            for (const core::device_status& one : all)
                real_bytes_[one.spec.name] = one.block_count * one.spec.block_bytes;
            using connections = std::vector<core::connection_status>;
            ask<connections>(core::list_connections{}, [this](const connections& list) {
                connected_ = connected_hosts(list);
                compare();
            });
        });
    }

    void compare() {
        if (!merge_sides_into_one()) return;
        if (std::vector<merge_conflict> smaller = shrunken(); !smaller.empty())
            return refuse({{}, std::move(smaller), {}, {}});
        for (core::change& change : diff(running_, wanted_)) {
            disturbance who = disturbed_by(change, connected_, running_, wanted_);
            report_.steps.push_back({std::move(change), std::move(who), std::nullopt});
        }
        if (!may_disturb()) return;
        if (how_.dry_run) return finish(std::move(report_));
        if (!keep_superseded()) return;
        next_step();
    }

    /// What shall be. False when it was refused.
    bool merge_sides_into_one() {
        wanted_ = file_.config.spec;
        if (context_.log == nullptr) return true;
        history_ = context_.log->history();
        configured_ = context_.log->configured();
        const config_outcome raw = parse_config(file_.text);
        const config_history::version now{file_.digest, raw ? raw->spec : file_.config.spec};
        const merge_sides sides{resolved_paths(history_.ancestor_of(now).spec, folder_),
                                file_.config.spec, resolved_paths(configured_, folder_),
                                history_.file_made};
        merge_result merged = merge(sides, {how_.prune, how_.force});
        if (!merged.conflicts.empty()) {
            refuse({{}, std::move(merged.conflicts), {}, {}});
            return false;
        }
        wanted_ = merged.spec;
        if (!check_together(sides)) return false;
        drops_ = merged.drops();
        report_.notes = std::move(merged.notes);
        to_record_ = paths_as_written(wanted_, folder_, {&configured_, &now.spec});
        if (!history_.knows(now.digest)) {
            history_.read = now;
            history_.written.reset();
        }
        history_.file_made = std::move(merged.file_made);
        file_spec_ = now.spec;
        return true;
    }

    /// Each side was accepted; what has become of both may break a rule (one UUID twice).
    bool check_together(const merge_sides& sides) {
        if (wanted_ == sides.file || wanted_ == sides.configured) return true;
        const config_outcome checked = parse_config(render_config("{}", wanted_));
        if (checked) return true;
        problem_list problems;
        for (const problem& one : checked.error().all())
            problems.add({one.pointer, 0,
                          "the file and what REST has changed do not go together: " + one.message,
                          one.remedy});
        refuse({std::move(problems), {}, {}, {}});
        return false;
    }

    /// What REST has no size of (it follows its storage) has one all the same.
    [[nodiscard]] std::vector<merge_conflict> shrunken() const {
        core::target_spec real = running_;
        for (core::device_spec& device : real.devices)
            if (const auto known = real_bytes_.find(device.name);
                core::finds_field(device, "size") && known != real_bytes_.end())
                device.size_bytes = known->second;
        std::vector<merge_conflict> out;
        for (const shrunken_device& one : find_shrunken(real, wanted_))
            out.push_back(
                {{object_kind::device, one.name, {}},
                 "size",
                 "absent",
                 fmt::format("{}", one.wanted_bytes),
                 fmt::format("{}", one.running_bytes),
                 fmt::format("write {} into the file; to lose what is behind the new end: "
                             "fulmar device resize {} {} --shrink, then reload",
                             one.running_bytes, one.name, one.wanted_bytes),
                 false});
        return out;
    }

    /// False when somebody would be disturbed who may not.
    bool may_disturb() {
        std::set<std::string> made_anew;
        for (const reload_report::step& step : report_.steps) {
            if (const auto* c = std::get_if<core::create_subsystem>(&step.change))
                made_anew.insert(c->spec.nqn);
            if (const auto* c = std::get_if<core::create_device>(&step.change))
                made_anew.insert(c->spec.name);
        }
        disturbance all;
        std::vector<std::string> reasons;
        for (const reload_report::step& step : report_.steps) {
            std::string reason = why_force(step, made_anew);
            if (reason.empty()) continue;
            reasons.push_back(std::move(reason));
            all.add(step.disturbs);
        }
        report_.needs_force = !reasons.empty() && !how_.force;
        if (!report_.needs_force || how_.dry_run) return true;
        refuse({{}, {}, std::move(all), list_text(reasons)});
        return false;
    }

    /// What only force may do, for people; empty: no force is needed.
    [[nodiscard]] std::string why_force(const reload_report::step& step,
                                        const std::set<std::string>& made_anew) const {
        if (const auto* c = std::get_if<core::delete_subsystem>(&step.change)) {
            if (made_anew.contains(c->nqn))
                return fmt::format(
                    "subsystem {} must be deleted and created anew, since serial, "
                    "model, listeners, controller ids and max_namespaces are fixed at creation",
                    c->nqn);
            if (!step.disturbs.hosts.empty())
                return fmt::format("subsystem {} goes while hosts are connected", c->nqn);
        }
        if (const auto* c = std::get_if<core::remove_namespace>(&step.change);
            c != nullptr && !step.disturbs.hosts.empty())
            return fmt::format("namespace {}/{} goes while hosts are connected", c->nqn, c->nsid);
        if (const auto* c = std::get_if<core::delete_device>(&step.change);
            c != nullptr && made_anew.contains(c->name) && is_used(c->name))
            return fmt::format("device {} backs a namespace and must be made anew", c->name);
        return {};
    }

    [[nodiscard]] bool is_used(const std::string& device) const {
        for (const core::subsystem_spec& subsystem : running_.subsystems)
            for (const core::namespace_spec& ns : subsystem.namespaces)
                if (ns.device == device) return true;
        return false;
    }

    /// What loses is kept where it can be looked at, before it is gone.
    bool keep_superseded() {
        if (!drops_) return true;
        const std::string path = context_.log->superseded_path();
        const std::string text = render_config(file_.text, configured_);
        if (const result<void> kept = system_disk().replace(path, text); !kept) {
            give_up({kept.error().code,
                     "what would be overruled cannot be kept: " + kept.error().message, path,
                     kept.error().remedy});
            return false;
        }
        report_.superseded = path;
        return true;
    }

    void next_step() {
        if (at_ == report_.steps.size()) return record();
        // Nothing waits for the journal: it is told of the whole at the end.
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
        const bool news = context_.log != nullptr && (context_.log->base_digest() != file_.digest ||
                                                      to_record_ != configured_);
        if (!news) return finish(std::move(report_));
        context_.rebase(std::make_unique<journal_base>(journal_base{
                            file_.digest, file_spec_, to_record_, std::move(history_)}),
                        [self = shared_from_this()](result<void> outcome) {
                            self->report_.recorded = std::move(outcome);
                            self->finish(std::move(self->report_));
                        });
    }

    static std::string list_text(const std::vector<std::string>& reasons) {
        std::string out;
        for (const std::string& one : reasons) out += (out.empty() ? "" : "; ") + one;
        return out;
    }

    void give_up(const error& why) {
        problem_list problems;
        problems.add({"", 0, why.message, why.remedy});
        refuse({std::move(problems), {}, {}, {}});
    }

    void refuse(reload_refusal why) { finish(tl::unexpected(std::move(why))); }

    void finish(reload_outcome outcome) {
        pass_.reset();
        std::exchange(done_, nullptr)(std::move(outcome));
    }

    rest_context& context_;
    reload_options how_;
    std::string folder_;
    std::function<void(reload_outcome)> done_;
    change_lock::guard pass_;
    loaded_config file_;
    core::target_spec running_;
    std::map<std::string, std::uint64_t> real_bytes_;  // of devices, whatever is configured
    connected_hosts connected_;
    core::target_spec configured_;  // paths as they are written
    config_history history_;        // as it will be
    core::target_spec wanted_;      // paths resolved
    core::target_spec to_record_;   // the same, paths as they are written
    core::target_spec file_spec_;   // likewise
    bool drops_ = false;
    reload_report report_;
    std::size_t at_ = 0;
};

}  // namespace

std::size_t reload_report::failures() const {
    return static_cast<std::size_t>(std::count_if(
        steps.begin(), steps.end(), [](const step& one) { return one.failed.has_value(); }));
}

std::vector<std::string> reload_refusal::lines(const std::string& file) const {
    std::vector<std::string> out;
    if (!problems.empty()) out = problems.lines(file);
    for (const merge_conflict& one : conflicts)
        out.push_back(fmt::format("{} ({})", one.text(), one.remedy));
    if (disturbs)
        out.push_back(fmt::format("{}; concerned: {} (fulmar config reload --force does it)", why,
                                  disturbs->text()));
    return out;
}

void reload_config(rest_context& context, reload_options how,
                   std::function<void(reload_outcome)> done) {
    auto op = std::make_shared<reload_op>(context, how, std::move(done));
    context.gate.enter(true, [op](change_lock::guard pass) { op->start(std::move(pass)); });
}

}  // namespace fulmar::admin
