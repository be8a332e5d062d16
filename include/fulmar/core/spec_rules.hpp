// The rules between the objects of a configuration, in one place: what no two objects may share,
// how many of each there may be, and how large. The file's reader, REST (before the core acts), the
// journal and a dry run ask these functions. Pure: plain values in, plain values out.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fulmar::core {

/// What an object may take of the configuration file, as it is written there: an upper bound that
/// no change of the object exceeds.
struct file_room {
    std::size_t bytes = 0;
    std::size_t values = 0;  ///< JSON values
};

/// Something that one object alone may have.
struct spec_claim {
    std::string_view what;    ///< "the UUID", for messages
    std::string name;         ///< its value, for messages
    std::string key;          ///< equal for equal claims
    std::string_view member;  ///< JSON name of the member concerned; empty: the object itself
    std::string_view remedy;
    bool names_object = false;  ///< it is the object's own name
    std::string group = {};     ///< objects of one group are counted; empty: not counted
    std::uint32_t most = 0;     ///< how many the group may have
    file_room room = {};        ///< of the object; one of its claims has it
};

/// What an object claims. `folder` is the one that relative paths are relative to; an empty one
/// leaves them as they are.
/// Called on: any thread.
std::vector<spec_claim> claims_of(const listener_spec& spec);
/// Called on: any thread.
std::vector<spec_claim> claims_of(const device_spec& spec, const std::string& folder);
/// Called on: any thread.
std::vector<spec_claim> claims_of(const namespace_spec& spec, const std::string& nqn);
/// Without its namespaces and hosts.
/// Called on: any thread.
std::vector<spec_claim> claims_of(const subsystem_spec& spec);
/// Called on: any thread.
std::vector<spec_claim> claims_of_host(const std::string& host, const std::string& nqn);
/// Called on: any thread.
std::vector<spec_claim> claims_of(const referral_spec& spec);
/// Of everything that `what` adds.
/// Called on: any thread.
std::vector<spec_claim> claims_of(const change& what, const std::string& folder);

/// An NSID (0: none yet) beyond what its subsystem has room for.
/// Called on: any thread.
result<void> check_nsid(std::uint32_t nsid, const subsystem_spec& in);
/// Two listeners that the kernel does not give one port: one of them is every address.
/// Called on: any thread.
bool cover_each_other(const listener_spec& a, const listener_spec& b);
/// Whether `host` is among `hosts`. Called on: any thread.
bool chooses(const host_choice& hosts, std::string_view host);
/// Some host is among `before`, and not among `after`. Called on: any thread.
bool takes_hosts_away(const host_choice& before, const host_choice& after);
/// By some listener `after` does not serve, and `before` does. Called on: any thread.
bool closes_paths(const ana_group_spec& before, const ana_group_spec& after);
/// What is wrong with a new size of `device`: too large, or no whole blocks. 0 is no size.
/// Called on: any thread.
result<void> check_size(std::uint64_t bytes, const device_spec& device);

/// Claims that are taken, and by whom. One thread at a time.
/// Called on: any thread, one at a time.
class claim_book {
  public:
    /// Who has it; null when it is free.
    [[nodiscard]] const std::string* holder(const std::string& key) const;
    /// Takes it, also when another has it: whoever follows what has happened keeps both.
    void take(const spec_claim& claim, const std::string& holder);
    /// Gives back what `holder` has taken.
    void give_back(const spec_claim& claim, const std::string& holder);
    /// How many of a group there are.
    [[nodiscard]] std::uint32_t count(const std::string& group) const;
    /// What the objects that hold claims take of the configuration file.
    [[nodiscard]] const file_room& room() const noexcept { return room_; }
    /// The first of `claims` that is taken, or one too many. Errors: already_exists (a name),
    /// conflict (anything else), limit_reached; `where` is a JSON pointer into the object. What one
    /// of `own` holds counts as free: the object is to replace itself.
    [[nodiscard]] result<void> check(const std::vector<spec_claim>& claims,
                                     const std::vector<std::string>& own = {}) const;

  private:
    std::unordered_map<std::string, std::vector<std::string>> holders_;
    std::unordered_map<std::string, std::uint32_t> counts_;
    file_room room_;
};

/// Whether what `claims` names fits into the file beside `taken`. Errors: limit_reached.
/// Called on: any thread.
result<void> check_file_room(const file_room& taken, const std::vector<spec_claim>& claims);

}  // namespace fulmar::core
