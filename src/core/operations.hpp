// The operations on a subsystem: what comes next is next_step()'s to say; here are the payloads and
// the answers.
#pragma once

#include <fulmar/core/subsystem.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace fulmar::core {

/// The operation for `what`, or null when `what` does not concern a subsystem's state.
std::unique_ptr<operation> make_operation(subsystem& s, change what, control_request* request);

/// Poll groups learn of it, then each namespace is attached, then it opens. What cannot be attached
/// is reported and left out at start; over REST it undoes the whole.
class create_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    namespace_record* add_next(operation_inputs& inputs);
    bool finish(bool worked);
    void tell_losses();
    std::vector<namespace_spec> left_;
    std::uint32_t attaching_ = 0;
    error why_;
};

class delete_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    void forget_namespaces() const noexcept;

    std::uint32_t unreaped_ = 0;
};

class pause_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;
};

class resume_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    error why_;
};

class add_namespace_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    std::uint32_t nsid_ = 0;
    error why_;
};

class remove_namespace_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;
};

/// Changes that a new description tells all of: hosts, who sees a namespace, ANA groups and states.
/// What no host notices is done at once.
class update_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    result<void> apply();
    result<void> apply_to_groups();
    /// Nothing, when there is something that hosts are told of.
    std::optional<result<control_answer>> modify();
    void send();
    void answer_viewers();
    void answer_paths();
    [[nodiscard]] std::string describe_paths() const;
    bool sent_ = false;
    bool security_told_ = false;  // the discovery log tells hosts something else
    bool expels_ = false;
    std::string expelled_;         ///< the host; empty: whoever is not on the list
    std::uint32_t about_ = 0;      ///< the namespace, when it is about one
    std::uint32_t ana_group_ = 0;  ///< the ANA group, likewise
    bool viewers_ = false;         ///< who sees the namespace
    bool paths_ = false;           ///< ANA states or groups
};

/// Paths have been in ANA state `change` for as long as they may.
class end_ana_transition_operation final : public operation {
  public:
    explicit end_ana_transition_operation(subsystem& s);
    bool resume() override;

  private:
    void tell_end(const change& done, std::uint32_t nsid, const std::string& of_what);

    bool sent_ = false;
};

/// The device behind a namespace is gone.
class lose_namespace_operation final : public operation {
  public:
    lose_namespace_operation(subsystem& s, std::uint32_t nsid, std::uint32_t generation);
    bool resume() override;

  private:
    std::uint32_t nsid_;
    std::uint32_t generation_;
};

/// The device behind a namespace has been away for longer than its I/O waits.
class end_hold_operation final : public operation {
  public:
    end_hold_operation(subsystem& s, namespace_id which);
    bool resume() override;

  private:
    namespace_id id_;
};

/// Size or readiness of the device changed: quiesce, look again, open. With `resize`, the device is
/// resized in between.
class refresh_namespace_operation final : public operation {
  public:
    refresh_namespace_operation(subsystem& s, std::uint32_t nsid, control_request* request);
    refresh_namespace_operation(subsystem& s, std::uint32_t nsid, resize_device resize,
                                control_request* request);
    refresh_namespace_operation(subsystem& s, std::uint32_t nsid, reopen_device reopen,
                                control_request* request);
    bool resume() override;

  private:
    void change_device(namespace_record& n);
    bool finish(namespace_record& n, bool opened);
    std::uint32_t nsid_;
    result<void> outcome_;
};

}  // namespace fulmar::core
