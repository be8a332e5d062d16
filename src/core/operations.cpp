#include "operations.hpp"

#include "authentication/host_key_rules.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/namespace_observer.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/spec_changes.hpp>
#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::core {

namespace {

error not_there(const subsystem& s, std::uint32_t nsid) {
    return {errc::not_found, fmt::format("{} has no namespace {}", s.spec().nqn, nsid)};
}

error gone(const subsystem& s) {
    return {errc::not_found, fmt::format("there is no subsystem {}", s.spec().nqn)};
}

error refused(std::string_view failure) {
    return {errc::no_memory,
            fmt::format("a poll group failed: {}", failure),
            {},
            "free memory or descriptors, then try again"};
}

}  // namespace

std::unique_ptr<operation> make_operation(subsystem& s, change what, control_request* request) {
    if (std::holds_alternative<create_subsystem>(what))
        return std::make_unique<create_operation>(s, std::move(what), request);
    if (std::holds_alternative<delete_subsystem>(what))
        return std::make_unique<delete_operation>(s, std::move(what), request);
    if (std::holds_alternative<pause_subsystem>(what))
        return std::make_unique<pause_operation>(s, std::move(what), request);
    if (std::holds_alternative<resume_subsystem>(what))
        return std::make_unique<resume_operation>(s, std::move(what), request);
    if (std::holds_alternative<add_namespace>(what))
        return std::make_unique<add_namespace_operation>(s, std::move(what), request);
    if (std::holds_alternative<remove_namespace>(what))
        return std::make_unique<remove_namespace_operation>(s, std::move(what), request);
    return std::make_unique<update_operation>(s, std::move(what), request);
}

// --- create --------------------------------------------------------------------------------------

bool create_operation::resume() {
    if (stage() == operation_stage::begin) {
        left_ = std::get<create_subsystem>(what).spec.namespaces;
        std::reverse(left_.begin(), left_.end());
    }
    operation_inputs inputs = observe(nullptr);
    if (inputs.failed && why_.message.empty()) why_ = refused(subject.last_failure());
    namespace_record* const attached =
        stage() == operation_stage::attaching ? subject.find(attaching_) : nullptr;
    namespace_record* const next = add_next(inputs);
    const operation_step step = take_step(operation_kind::create, inputs, attached);
    if (step.attach_next) {
        attaching_ = next->spec.nsid;
        subject.advance(*next, namespace_event::attach);
    }
    if (step.next == operation_stage::undoing_close && request == nullptr)
        subject.owner().subsystem_started();
    if (step.drop_subsystem) subject.drop_all();
    if (step.end != operation_end::none) return finish(step.end == operation_end::done);
    const bool tells =
        step.ask != group_action::close_subsystem && step.ask != group_action::remove_subsystem;
    subject.fan_out(step.ask, step.attach_next ? next : nullptr,
                    tells ? subject.make_view() : nullptr);
    return false;
}

// The next namespace that can be had; at start those that cannot are left out.
namespace_record* create_operation::add_next(operation_inputs& inputs) {
    const bool attaches =
        stage() == operation_stage::adding || stage() == operation_stage::attaching;
    while (attaches && !inputs.failed && !left_.empty()) {
        namespace_spec spec = std::move(left_.back());
        left_.pop_back();
        const std::uint32_t nsid = spec.nsid;
        auto added = subject.add_record(std::move(spec), request == nullptr);
        inputs.more = added.has_value();
        if (added) return *added;
        if (request != nullptr) {
            inputs.spoilt = true;
            why_ = added.error();
            return nullptr;
        }
        error why = std::move(added).error();
        why.message = fmt::format("namespace {} of {}: {}", nsid, subject.spec().nqn, why.message);
        subject.owner().operation_failed(why);
    }
    return nullptr;
}

bool create_operation::finish(bool worked) {
    if (!worked) {
        fail_with(why_);
        return true;
    }
    subject.owner().discovery_changed();
    subject.watch_ana_transitions();
    tell_losses();
    if (request == nullptr) subject.owner().subsystem_started();
    std::get<create_subsystem>(what).spec = subject.status().spec;
    answer(subject.status());
    return true;
}

// A device that was lost before it backed a namespace has nobody to say so any more.
void create_operation::tell_losses() {
    for (const auto& [nsid, n] : subject.namespaces()) {
        if (n.device->state() == backend::device_state::ready) continue;
        log::warn("namespace {} of {} is not ready: its device {} is {}", nsid, subject.spec().nqn,
                  n.spec.device, n.device->condition());
        subject.device_lost(nsid, *n.device);
    }
}

// --- delete --------------------------------------------------------------------------------------

bool delete_operation::resume() {
    const bool begins = stage() == operation_stage::begin && !subject.deleted();
    if (begins && request == nullptr) subject.owner().keep_for_restart(subject);
    if (stage() == operation_stage::closing) unreaped_ = subject.last_unreaped();
    const operation_step step = take_step(operation_kind::remove, observe(nullptr), nullptr);
    if (begins) subject.owner().discovery_changed();
    if (step.drop_subsystem && request != nullptr) forget_namespaces();
    if (step.drop_subsystem) subject.drop_all();
    switch (step.end) {
        case operation_end::none: subject.fan_out(step.ask); return false;
        case operation_end::done:
            answer_quiesced(std::monostate{}, "it is deleted", unreaped_);
            return true;
        case operation_end::refused:
        case operation_end::gone: fail_with(gone(subject)); return true;
    }
    return true;
}

void delete_operation::forget_namespaces() const noexcept {
    const auto& returning = std::get<delete_subsystem>(what).returning;
    for (const auto& [nsid, n] : subject.namespaces())
        if (std::find(returning.begin(), returning.end(), nsid) == returning.end())
            subject.forget(n);
}

// --- pause, resume -------------------------------------------------------------------------------

bool pause_operation::resume() {
    const operation_step step = take_step(operation_kind::pause, observe(nullptr), nullptr);
    const bool opens = step.ask == group_action::open_subsystem;
    switch (step.end) {
        case operation_end::none:
            subject.fan_out(step.ask, nullptr, opens ? subject.make_view() : nullptr);
            return false;
        case operation_end::done:
            static_cast<void>(apply_change(std::get<pause_subsystem>(what), subject.edit()));
            answer_quiesced(subject.status(), "it is paused", subject.last_unreaped());
            return true;
        case operation_end::refused:
            fail_with({errc::timed_out, "a poll group could not fence the subsystem"});
            return true;
        case operation_end::gone: fail_with(gone(subject)); return true;
    }
    return true;
}

bool resume_operation::resume() {
    const operation_inputs inputs = observe(nullptr);
    if (inputs.failed && why_.message.empty()) why_ = refused(subject.last_failure());
    const operation_step step = take_step(operation_kind::resume, inputs, nullptr);
    const bool opens = step.ask == group_action::open_subsystem;
    switch (step.end) {
        case operation_end::none:
            subject.fan_out(step.ask, nullptr, opens ? subject.make_view() : nullptr);
            return false;
        case operation_end::done:
            static_cast<void>(apply_change(std::get<resume_subsystem>(what), subject.edit()));
            answer(subject.status());
            return true;
        case operation_end::refused: fail_with(why_); return true;
        case operation_end::gone: fail_with(gone(subject)); return true;
    }
    return true;
}

// --- namespaces ----------------------------------------------------------------------------------

bool add_namespace_operation::resume() {
    if (stage() == operation_stage::begin && !subject.deleted()) {
        auto added = subject.add_record(std::get<add_namespace>(what).spec);
        if (!added) {
            fail_with(added.error());
            return true;
        }
        nsid_ = (*added)->spec.nsid;
    }
    namespace_record* n = subject.find(nsid_);
    const operation_inputs inputs = observe(n);
    if (inputs.failed && why_.message.empty()) why_ = refused(subject.last_failure());
    const operation_step step = take_step(operation_kind::add_namespace, inputs, n);
    if (step.drop_namespace) subject.drop_record(nsid_);
    switch (step.end) {
        case operation_end::none: subject.fan_out(step.ask, n, subject.make_view()); return false;
        case operation_end::done:
            subject.watch_ana_transitions();
            std::get<add_namespace>(what).spec = n->spec;
            answer(subject.status(*n));
            if (n->device->state() != backend::device_state::ready)
                subject.device_lost(nsid_, *n->device);
            return true;
        case operation_end::refused: fail_with(why_); return true;
        case operation_end::gone: fail_with(gone(subject)); return true;
    }
    return true;
}

bool remove_namespace_operation::resume() {
    const std::uint32_t nsid = std::get<remove_namespace>(what).nsid;
    namespace_record* n = subject.find(nsid);
    const operation_step step = take_step(operation_kind::remove_namespace, observe(n), n);
    if (step.drop_namespace && !std::get<remove_namespace>(what).returns) subject.forget(*n);
    if (step.drop_namespace) subject.drop_record(nsid);
    switch (step.end) {
        case operation_end::none: subject.fan_out(step.ask, n, subject.make_view()); return false;
        case operation_end::done:
            answer_quiesced(std::monostate{}, fmt::format("namespace {} is removed", nsid),
                            subject.last_unreaped());
            return true;
        case operation_end::refused:
        case operation_end::gone:
            if (!subject.deleted() && subject.find(nsid) == nullptr &&
                subject.owner().only_configured(what)) {
                answer(std::monostate{});
                return true;
            }
            fail_with(subject.deleted() ? gone(subject) : not_there(subject, nsid));
            return true;
    }
    return true;
}

lose_namespace_operation::lose_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                   std::uint32_t generation)
    : operation(s, remove_namespace{}, nullptr), nsid_(nsid), generation_(generation) {}

bool lose_namespace_operation::resume() {
    namespace_record* n = subject.find(nsid_);
    if (n != nullptr) subsystem::judge_loss(*n);
    operation_inputs inputs = observe(n);
    inputs.of_this_generation = n != nullptr && n->id.generation == generation_;
    if (inputs.of_this_generation) n->loss_waits = false;
    const operation_step step = take_step(operation_kind::lose_namespace, inputs, n);
    if (step.end != operation_end::none) return true;
    const bool held = step.ask == group_action::hold_namespace;
    if (held) subject.begin_hold(*n);
    subject.fan_out(step.ask, n, subject.make_view());
    return false;
}

end_hold_operation::end_hold_operation(subsystem& s, namespace_id which)
    : operation(s, remove_namespace{}, nullptr), id_(which) {}

bool end_hold_operation::resume() {
    namespace_record* n = subject.find(id_.index + 1);
    operation_inputs inputs = observe(n);
    inputs.of_this_generation = n != nullptr && n->id == id_;
    const operation_step step = take_step(operation_kind::end_hold, inputs, n);
    if (step.end != operation_end::none) return true;
    subject.end_hold(*n, true);
    log::warn("{} namespace {}: its device is not waited for any longer", subject.spec().nqn,
              n->spec.nsid);
    subject.fan_out(step.ask, n, subject.make_view());
    return false;
}

refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         control_request* r)
    : operation(s, resize_device{}, r), nsid_(nsid) {}
refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         resize_device c, control_request* r)
    : operation(s, std::move(c), r), nsid_(nsid) {}
refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         reopen_device c, control_request* r)
    : operation(s, std::move(c), r), nsid_(nsid) {}

bool refresh_namespace_operation::resume() {
    namespace_record* n = subject.find(nsid_);
    const bool begins = stage() == operation_stage::begin;
    if (begins && request == nullptr && n != nullptr) n->refresh_waits = false;
    operation_inputs inputs = observe(n);
    const bool was_lost = inputs.present && inputs.ns == namespace_state::lost;
    if ((begins && was_lost) || (stage() == operation_stage::quiescing && !inputs.failed)) {
        change_device(*n);
        subsystem::judge_loss(*n);
        inputs = observe(n);
    }
    const operation_step step = take_step(operation_kind::refresh_namespace, inputs, n);
    switch (step.end) {
        case operation_end::none: break;
        case operation_end::done: return finish(*n, true);
        case operation_end::refused: return finish(*n, false);
        case operation_end::gone: fail_with(not_there(subject, nsid_)); return true;
    }
    if (step.ask == group_action::quiesce_namespace) {
        subject.fan_out(step.ask, n);
        return false;
    }
    if (step.next == operation_stage::opening) n->geometry = n->device->geometry();
    if (step.next == operation_stage::opening && was_lost) subject.end_hold(*n, false);
    if (step.ask == group_action::hold_namespace) subject.begin_hold(*n);
    std::vector<std::uint32_t> changed;
    if (step.ask == group_action::open_namespace) changed.push_back(nsid_);
    subject.fan_out(step.ask, n, subject.make_view(), std::move(changed));
    return false;
}

void refresh_namespace_operation::change_device(namespace_record& n) {
    auto* resize = std::get_if<resize_device>(&what);
    if (resize != nullptr && resize->name.empty()) resize = nullptr;  // nobody asked
    if (resize != nullptr)
        outcome_ = n.device->resize(
            resize->size_bytes / n.geometry.block_bytes,
            resize->allow_shrink ? backend::shrinking::allowed : backend::shrinking::refused);
    else if (const auto* reopen = std::get_if<reopen_device>(&what))
        outcome_ = reopen->accept ? n.device->accept() : n.device->reopen();
    auto* e = subject.owner().devices().find(n.spec.device);
    if (e == nullptr || !outcome_) return;
    subject.owner().devices().refresh(*e);
    if (resize != nullptr) *resize = device_registry::resized(*e);
}

bool refresh_namespace_operation::finish(namespace_record& n, bool opened) {
    if (!outcome_ || !opened) {
        fail_with(outcome_ ? error{errc::io_error, "the device is still lost"} : outcome_.error());
        return true;
    }
    if (request != nullptr) {
        const auto* e = subject.owner().devices().find(n.spec.device);
        answer(subject.owner().devices().status(*e));
    }
    return true;
}

// --- what a new description tells ----------------------------------------------------------------

result<void> update_operation::apply() {
    subsystem_spec& spec = subject.edit();
    if (const auto* c = std::get_if<set_ana_state>(&what)) {
        namespace_record* n = subject.find(c->nsid);
        if (n == nullptr) return tl::unexpected(not_there(subject, c->nsid));
        about_ = c->nsid;
        paths_ = true;  // asked again, it tells again what has not ended
        FULMAR_CHECK(core::apply_change(*c, n->spec));
        subject.watch_ana_transitions();
    } else if (const auto* add = std::get_if<add_host>(&what)) {
        FULMAR_CHECK(core::apply_change(*add, spec));
    } else if (const auto* remove = std::get_if<remove_host>(&what)) {
        FULMAR_CHECK(core::apply_change(*remove, spec));
        expels_ = !spec.allow_any_host;
        expelled_ = remove->host;
    } else if (const auto* keys = std::get_if<set_host_keys>(&what)) {
        const auto before = spec.host_keys;
        FULMAR_CHECK(core::apply_change(*keys, spec));
        security_told_ = tells_other_security(before, spec.host_keys);
    } else if (const auto* edit = std::get_if<modify_subsystem>(&what)) {
        const auto before = spec.host_keys;
        FULMAR_CHECK(core::apply_change(*edit, spec));
        security_told_ = tells_other_security(before, spec.host_keys);
    } else if (const auto* any = std::get_if<set_allow_any_host>(&what)) {
        expels_ = !any->allow;  // asked again, it tells again what has not ended
        FULMAR_CHECK(core::apply_change(*any, spec));
    }
    return {};
}

result<void> update_operation::apply_to_groups() {
    subsystem_spec& spec = subject.edit();
    if (const auto* made = std::get_if<create_ana_group>(&what)) {
        FULMAR_CHECK(core::apply_change(*made, spec));
        ana_group_ = made->spec.id;
    } else if (const auto* gone = std::get_if<delete_ana_group>(&what)) {
        FULMAR_CHECK(core::apply_change(*gone, spec, subject.members_of(gone->id)));
        ana_group_ = gone->id;
    } else if (const auto* edit = std::get_if<modify_ana_group>(&what)) {
        FULMAR_CHECK(core::apply_change(*edit, spec));
        ana_group_ = edit->id;
    } else if (const auto* path = std::get_if<set_ana_path>(&what)) {
        FULMAR_CHECK(core::apply_change(*path, spec));
        ana_group_ = path->id;
    }
    paths_ = paths_ || ana_group_ != 0;
    if (ana_group_ != 0) subject.watch_ana_transitions();
    return {};
}

namespace {

/// `nsid`: 0 when it is about a group.
void tell_paths(subsystem& of, std::uint32_t nsid, std::string detail) {
    of.owner().tell({.what = "path-state",
                     .subsystem = of.spec().nqn,
                     .nsid = nsid,
                     .host = {},
                     .detail = std::move(detail)});
}

bool edits_field(const modify_namespace& edit, std::string_view name) noexcept {
    const auto& table = fields_of<namespace_spec>::all;
    const auto* const field = find_field<namespace_spec>(name);
    return is_marked(edit.set, static_cast<std::size_t>(field - table.data()));
}

// Then poll groups have to know.
bool changes_authentication(const modify_subsystem& edit) noexcept {
    const auto& table = fields_of<subsystem_spec>::all;
    for (std::size_t i = 0; i < table.size(); ++i)
        if (is_marked(edit.set, i) && table[i].facts.name != description_facts.name) return true;
    return false;
}
}  // namespace

std::optional<result<control_answer>> update_operation::modify() {
    if (const auto* edit = std::get_if<modify_subsystem>(&what);
        edit != nullptr && !changes_authentication(*edit)) {
        FULMAR_CHECK(core::apply_change(*edit, subject.edit()));
        return control_answer(subject.status());
    }
    if (const auto* group = std::get_if<modify_ana_group>(&what);
        group != nullptr && !is_noticed(group->set)) {
        FULMAR_CHECK(core::apply_change(*group, subject.edit()));
        return control_answer(subject.status());
    }
    const auto* edit = std::get_if<modify_namespace>(&what);
    if (edit == nullptr) return std::nullopt;
    namespace_record* const n = subject.find(edit->nsid);
    if (n == nullptr) return tl::unexpected(not_there(subject, edit->nsid));
    namespace_spec edited = n->spec;
    FULMAR_CHECK(core::apply_change(*edit, edited));
    FULMAR_CHECK(check_ana_group(edited, subject.spec()));
    viewers_ = edits_field(*edit, "visible_to");  // asked again, it tells again what has not ended
    paths_ = edits_field(*edit, "ana_group");
    if (viewers_) n->visible_to = in_order(edited.visible_to);
    n->spec = std::move(edited);
    if (!viewers_ && !paths_) return control_answer(subject.status(*n));
    about_ = edit->nsid;
    return std::nullopt;
}

void update_operation::answer_viewers() {
    const namespace_record& n = *subject.find(about_);
    const std::size_t named = n.spec.visible_to.named.size();
    const std::string who = n.spec.visible_to.all ? "every host"
                            : named == 0          ? "nobody"
                            : named == 1          ? n.spec.visible_to.named.front()
                                                  : fmt::format("{} hosts", named);
    log::info("{} namespace {} is now visible to {}", subject.spec().nqn, about_, who);
    subject.owner().tell({.what = "visibility",
                          .subsystem = subject.spec().nqn,
                          .nsid = about_,
                          .host = {},
                          .detail = "visible to " + who});
    answer_quiesced(subject.status(n), fmt::format("namespace {} is visible to {}", about_, who),
                    subject.last_unreaped());
}

/// Of the group that it is about.
std::string update_operation::describe_paths() const {
    if (const auto* made = std::get_if<create_ana_group>(&what))
        return fmt::format("ANA group {} is made, {}", ana_group_, word_of(made->spec.state));
    if (std::holds_alternative<delete_ana_group>(what))
        return fmt::format("ANA group {} is deleted", ana_group_);
    const auto& groups = subject.spec().ana_groups;
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [this](const auto& one) { return one.id == ana_group_; });
    if (group == groups.end()) return fmt::format("ANA group {} is changed", ana_group_);
    if (const auto* path = std::get_if<set_ana_path>(&what))
        return fmt::format("ANA group {} is {} by {}", ana_group_,
                           word_of(group->at(path->listener)), path->listener);
    return fmt::format("ANA group {} is {}", ana_group_, word_of(group->state));
}

// What of the paths is answered: what came by closed ones has ended, or is told.
void update_operation::answer_paths() {
    const std::uint32_t unreaped = subject.last_unreaped();
    if (const namespace_record* n = about_ != 0 ? subject.find(about_) : nullptr) {
        const std::string now = n->spec.ana_group != 0
                                    ? fmt::format("in ANA group {}", n->spec.ana_group)
                                    : std::string(word_of(n->spec.ana));
        log::info("{} namespace {} is {}", subject.spec().nqn, about_, now);
        tell_paths(subject, about_, now);
        return answer_quiesced(subject.status(*n), fmt::format("namespace {} is {}", about_, now),
                               unreaped);
    }
    const std::string done = describe_paths();
    log::info("{}: {}", subject.spec().nqn, done);
    tell_paths(subject, 0, done);
    if (std::holds_alternative<delete_ana_group>(what)) return answer(std::monostate{});
    answer_quiesced(subject.status(), done, unreaped);
}

void update_operation::send() {
    sent_ = true;
    const group_action action = expels_              ? group_action::expel_hosts
                                : viewers_ || paths_ ? group_action::change_access
                                                     : group_action::update_view;
    subject.fan_out(action, about_ != 0 ? subject.find(about_) : nullptr, subject.make_view(), {},
                    ana_group_, expelled_);
    if (paths_)
        subject.end_by_ana_transition(ana_group_ != 0 ? ana_group_
                                                      : limits::max_ana_groups + about_);
}

bool update_operation::resume() {
    if (!sent_) {
        if (subject.deleted()) {
            fail_with(gone(subject));
            return true;
        }
        if (auto modified = modify()) {
            if (*modified)
                answer(std::move(**modified));
            else
                fail_with(modified->error());
            return true;
        }
        result<void> applied = apply();
        if (applied) applied = apply_to_groups();
        if (!applied) {
            fail_with(applied.error());
            return true;
        }
        send();
        return false;
    }
    if (viewers_ || paths_) {
        viewers_ ? answer_viewers() : answer_paths();
        return true;
    }
    if (std::holds_alternative<modify_subsystem>(what) ||
        std::holds_alternative<set_host_keys>(what)) {
        if (security_told_) subject.owner().discovery_changed();
        answer(subject.status());
        return true;
    }
    subject.owner().discovery_changed();
    if (std::holds_alternative<set_allow_any_host>(what)) {
        answer_quiesced(subject.status(), "unlisted hosts are sent away", subject.last_unreaped());
    } else {
        answer_quiesced(std::monostate{}, "the host is removed", subject.last_unreaped());
    }
    return true;
}

// --- the end of an ANA transition ----------------------------------------------------------------

end_ana_transition_operation::end_ana_transition_operation(subsystem& s)
    : operation(s, remove_namespace{}, nullptr) {}

void end_ana_transition_operation::tell_end(const change& done, std::uint32_t nsid,
                                            const std::string& of_what) {
    subject.owner().record(done);
    log::warn("{}: {} has been in ANA state change for long enough", subject.spec().nqn, of_what);
    tell_paths(subject, nsid, of_what + " has ended its ANA transition by itself");
}

// Nothing has come in by paths in state `change`, so that there is nothing to wait for.
bool end_ana_transition_operation::resume() {
    if (std::exchange(sent_, true) || subject.deleted()) return true;
    bool any = false;
    std::vector<modify_ana_group> groups;
    for (const ana_group_spec& one : subject.spec().ana_groups)
        if (subject.ana_transition_is_over(one.id))
            groups.push_back({subject.spec().nqn, one.id, end_of_transition(one)});
    for (const modify_ana_group& one : groups) {
        FULMAR_ASSERT(core::apply_change(one, subject.edit()).has_value());
        tell_end(one, 0, fmt::format("ANA group {}", one.id));
        any = true;
    }
    for (const auto& [nsid, alone] : subject.namespaces()) {
        if (alone.spec.ana_group != 0 || alone.spec.ana != ana_state::change) continue;
        if (!subject.ana_transition_is_over(limits::max_ana_groups + nsid)) continue;
        const set_ana_state closed{subject.spec().nqn, nsid, ana_state::inaccessible};
        FULMAR_ASSERT(core::apply_change(closed, subject.find(nsid)->spec).has_value());
        tell_end(closed, nsid, fmt::format("namespace {}", nsid));
        any = true;
    }
    subject.watch_ana_transitions();
    if (!any) return true;
    subject.fan_out(group_action::update_view, nullptr, subject.make_view());
    return false;
}

}  // namespace fulmar::core
