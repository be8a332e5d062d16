// The operations on a subsystem, each a small machine of stages (style: multi-step control work is
// an object with a stage).
#pragma once

#include <fulmar/core/subsystem.hpp>

#include <cstdint>
#include <memory>
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
    enum class stage : std::uint8_t { begin, added, attaching, opening, undo_close, undo_remove };
    bool attach_next();
    bool open();
    bool undo(error why);
    stage stage_ = stage::begin;
    std::vector<namespace_spec> left_;
    std::uint32_t attaching_ = 0;
    error why_;
};

class delete_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    enum class stage : std::uint8_t { begin, closing, removing };
    stage stage_ = stage::begin;
};

class pause_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    enum class stage : std::uint8_t { begin, fencing, reverting };
    stage stage_ = stage::begin;
};

class resume_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    enum class stage : std::uint8_t { begin, opening };
    stage stage_ = stage::begin;
};

class add_namespace_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    enum class stage : std::uint8_t { begin, attaching, undoing };
    stage stage_ = stage::begin;
    std::uint32_t nsid_ = 0;
    error why_;
};

class remove_namespace_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    enum class stage : std::uint8_t { begin, detaching };
    stage stage_ = stage::begin;
};

/// Changes that a new description tells all of: hosts, ANA states.
class update_operation final : public operation {
  public:
    using operation::operation;
    bool resume() override;

  private:
    result<void> apply();
    bool sent_ = false;
    bool ana_ = false;
    std::string expelled_;
};

/// The device behind a namespace is gone.
class lose_namespace_operation final : public operation {
  public:
    lose_namespace_operation(subsystem& s, std::uint32_t nsid, std::uint32_t generation);
    bool resume() override;

  private:
    std::uint32_t nsid_;
    std::uint32_t generation_;
    bool sent_ = false;
};

/// Size or readiness of the device changed: fence, look again, open. With `resize`, the device is
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
    enum class stage : std::uint8_t { begin, fencing, opening };
    std::uint32_t nsid_;
    stage stage_ = stage::begin;
    result<void> outcome_;
};

}  // namespace fulmar::core
