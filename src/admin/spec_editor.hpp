// Applies changes to a configuration held as data, by the rules of core/spec_rules.hpp. REST asks
// it before the core acts; the journal's replay, the fold and the tests use it. One thread at a
// time; no I/O. Must never: half-apply a change.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/spec_rules.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace fulmar::admin {

class spec_editor {
  public:
    /// `folder`: what relative paths are relative to. A `spec` that breaks the rules is held as it
    /// is.
    explicit spec_editor(core::target_spec spec, std::string folder = {});

    /// Errors: not_found, already_exists, conflict, limit_reached, invalid_argument; then nothing
    /// has changed. A constant cost per change, however large the configuration is.
    result<void> apply(const core::change& change);

    /// Whether the rules allow `change`, beside everything that is configured or held. What it
    /// refers to need not be there. Errors: as of apply().
    [[nodiscard]] result<void> check(const core::change& change) const;
    /// Chooses the NSIDs that `change` leaves open, checks it, and keeps its names from others
    /// until release(): it is on its way. An object that is configured may be made again: it could
    /// not be opened, or the core, which is asked next, has it and refuses.
    /// Errors: as of apply(); then nothing is held.
    result<void> hold(core::change& change);
    void release(const core::change& change);
    /// Keeps what `claims` names from everybody: an object of the file has it that is broken, which
    /// `holder` says. It cannot be removed either, until its subsystem `nqn` (if any) is.
    void reserve(const std::vector<core::spec_claim>& claims, const std::string& holder,
                 const std::string& nqn);
    /// The allow-list of `nqn` is broken: nothing about it can be changed.
    void close_list(const std::string& nqn);

    /// Applies what the core has done already. What is in its way here cannot be there: it is
    /// configured, but could not be opened at start, and makes room. Errors: as of apply().
    result<void> follow(const core::change& change);

    [[nodiscard]] const core::subsystem_spec* subsystem(const std::string& nqn) const;
    [[nodiscard]] const core::device_spec* device(const std::string& name) const;
    /// True when what `removal` takes away is there.
    [[nodiscard]] bool has(const core::change& removal) const;
    /// "NQN/nsid", or empty.
    [[nodiscard]] std::string user_of(const std::string& device) const;

    /// The configuration as it is now, objects in the order of their making.
    [[nodiscard]] core::target_spec spec() const;

  private:
    /// Objects in order, found by name; a removed one leaves an empty place.
    template <typename Spec>
    struct book {
        std::vector<std::optional<Spec>> places;
        std::unordered_map<std::string, std::size_t> index;

        Spec* find(const std::string& name);
        const Spec* find(const std::string& name) const;
        void add(const std::string& name, const Spec& spec);
        void remove(const std::string& name);
        [[nodiscard]] std::vector<Spec> all() const;
    };

    result<void> run(const core::create_device& c);
    result<void> run(const core::delete_device& c);
    result<void> run(const core::resize_device& c);
    result<void> run(const core::reopen_device& c);
    result<void> run(const core::detach_device& c);
    result<void> run(const core::attach_device& c);
    result<void> run(const core::file_created& c);
    result<void> run(const core::modify_device& c);
    result<void> run(const core::modify_subsystem& c);
    result<void> run(const core::modify_namespace& c);
    result<void> run(const core::create_subsystem& c);
    result<void> run(const core::delete_subsystem& c);
    result<void> run(const core::pause_subsystem& c);
    result<void> run(const core::resume_subsystem& c);
    result<void> run(const core::add_namespace& c);
    result<void> run(const core::remove_namespace& c);
    result<void> run(const core::set_ana_state& c);
    result<void> run(const core::create_ana_group& c);
    result<void> run(const core::delete_ana_group& c);
    result<void> run(const core::modify_ana_group& c);
    result<void> run(const core::set_ana_path& c);
    result<void> run(const core::add_host& c);
    result<void> run(const core::remove_host& c);
    result<void> run(const core::set_host_keys& c);
    result<void> run(const core::set_allow_any_host& c);
    result<void> run(const core::add_listener& c);
    result<void> run(const core::remove_listener& c);
    result<void> run(const core::add_referral& c);
    result<void> run(const core::remove_referral& c);

    /// Finds the object, and asks core/spec_changes.hpp.
    template <typename Change>
    result<void> change_device(const Change& c);
    template <typename Change>
    result<void> change_subsystem(const Change& c);
    template <typename Change>
    result<void> change_namespace(const Change& c);
    /// What it takes of the file changes with it.
    template <typename Change>
    result<void> resize_subsystem(const Change& c);

    /// `claims` are those of `change`; what one of `own` holds counts as free.
    [[nodiscard]] result<void> check(const core::change& change,
                                     const std::vector<core::spec_claim>& claims,
                                     const std::vector<std::string>& own) const;
    [[nodiscard]] std::vector<std::string> holders_in_place_of(const core::change& change) const;
    void choose_nsids(core::change& change) const;
    /// 0 when there is none.
    [[nodiscard]] std::uint32_t free_nsid(const core::subsystem_spec& in,
                                          const std::vector<core::namespace_spec>& beside) const;
    [[nodiscard]] result<void> check_room(const core::change& change) const;
    void take(const std::vector<core::spec_claim>& claims, const std::string& holder);
    void give_back(const std::vector<core::spec_claim>& claims, const std::string& holder);
    void take_all(const core::subsystem_spec& spec);
    void give_back_all(const core::subsystem_spec& spec);
    [[nodiscard]] result<void> check_broken(const core::change& change) const;
    [[nodiscard]] result<void> check_references(const core::change& change) const;
    result<core::subsystem_spec*> want_subsystem(const std::string& nqn);
    result<core::namespace_spec*> want_namespace(const std::string& nqn, std::uint32_t nsid);
    [[nodiscard]] result<void> check_device(const std::string& name) const;
    [[nodiscard]] core::device_use use_of(const std::string& device) const;
    /// The namespace that `device` backs goes.
    void free_device(const std::string& device);

    std::string folder_;
    core::claim_book claims_;
    std::vector<core::listener_spec> held_listeners_;
    struct reservation {
        std::vector<core::spec_claim> claims;
        std::string holder;
        std::string nqn;
    };
    std::vector<reservation> reserved_;  // few
    std::unordered_set<std::string> closed_;
    book<core::device_spec> devices_;
    book<core::subsystem_spec> subsystems_;
    std::vector<core::listener_spec> listeners_;  // few
    std::vector<core::referral_spec> referrals_;  // few
    struct namespace_place {
        std::string nqn;
        std::uint32_t nsid = 0;
    };
    std::unordered_map<std::string, namespace_place> users_;  // of devices, by their names
};

}  // namespace fulmar::admin
