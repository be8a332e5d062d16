// Applies changes to a configuration held as data, by the rules that the core follows for the real
// thing. The journal's replay, the fold and the tests use it. One thread; no I/O. Must never:
// half-apply a change.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fulmar::admin {

class spec_editor {
  public:
    explicit spec_editor(core::target_spec spec);

    /// Errors: not_found, already_exists, conflict; then nothing has changed. A constant cost per
    /// change, however large the configuration is.
    result<void> apply(const core::change& change);

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
    result<void> keep_away(const std::string& device, bool away);
    result<void> run(const core::create_subsystem& c);
    result<void> run(const core::delete_subsystem& c);
    result<void> run(const core::pause_subsystem& c);
    result<void> run(const core::resume_subsystem& c);
    result<void> run(const core::add_namespace& c);
    result<void> run(const core::remove_namespace& c);
    result<void> run(const core::set_ana_state& c);
    result<void> run(const core::add_host& c);
    result<void> run(const core::remove_host& c);
    result<void> run(const core::set_allow_any_host& c);
    result<void> run(const core::add_listener& c);
    result<void> run(const core::remove_listener& c);
    result<void> run(const core::add_referral& c);
    result<void> run(const core::remove_referral& c);

    result<core::subsystem_spec*> want_subsystem(const std::string& nqn);
    result<core::namespace_spec*> want_namespace(const std::string& nqn, std::uint32_t nsid);
    result<void> check_device(const std::string& name) const;
    /// The namespace that `device` backs goes.
    void free_device(const std::string& device);

    book<core::device_spec> devices_;
    book<core::subsystem_spec> subsystems_;
    std::vector<core::listener_spec> listeners_;          // few
    std::vector<core::referral_spec> referrals_;          // few
    std::unordered_map<std::string, std::string> users_;  // device → "NQN/nsid"
};

}  // namespace fulmar::admin
