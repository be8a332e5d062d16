#include "config_merge.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

const std::string absent = "absent";
const std::string present = "present";
const std::string altered = "changed";

const ordered_json* member(const object_fields* object, const std::string& field) {
    if (object == nullptr) return nullptr;
    const auto found = object->find(field);
    return found == object->end() ? nullptr : &found->second;
}

bool same(const ordered_json* a, const ordered_json* b) {
    return a == nullptr || b == nullptr ? a == b : *a == *b;
}

std::string shown(const ordered_json* value) { return value == nullptr ? absent : value->dump(); }

/// Chosen by the target when nobody says it, and then never to change: a file that leaves it out
/// does not ask for another one.
bool is_identity(const object_key& key, const std::string& field) {
    const core::field_facts* const facts = facts_of(key.kind, field);
    return facts != nullptr && facts->change == core::field_change::chosen;
}

/// The size of a device is that of its storage where nothing is said.
bool is_size(const object_key& key, const std::string& field) {
    const core::field_facts* const facts = facts_of(key.kind, field);
    return facts != nullptr && facts->form == core::field_form::size;
}

/// The side says nothing about it.
bool is_open(const object_key& key, const std::string& field, const ordered_json* value) {
    if (value == nullptr) return true;
    if (is_identity(key, field)) return *value == "";
    return is_size(key, field) && *value == 0;
}

bool is_smaller(const object_key& key, const std::string& field, const ordered_json* wanted,
                const ordered_json* now) {
    return is_size(key, field) && wanted != nullptr && now != nullptr && *wanted != 0 &&
           *wanted < *now;
}

std::string how_to_shrink(const object_key& device, const ordered_json* now,
                          const ordered_json* wanted) {
    return fmt::format(
        "write {} into the file; to lose what is behind the new end: fulmar device resize {} {} "
        "--shrink, then reload",
        shown(now), device.name, shown(wanted));
}

class merger {
  public:
    merger(const merge_sides& sides, merge_rules rules)
        : base_(objects_of(sides.base)),
          file_(objects_of(sides.file)),
          rest_(objects_of(sides.configured)),
          file_made_(sides.file_made),
          rules_(rules) {}

    merge_result run() {
        for (const object_key& key : all_keys()) decide(key);
        find_shrunken();
        find_dangling();
        assemble();
        return std::move(out_);
    }

  private:
    // One object of the merged configuration.
    struct decided {
        object_fields fields;
        bool from_file = false;  // a later file that lacks it takes it away
    };

    static bool is_child(const object_key& key) {
        return key.kind == object_kind::name_space || key.kind == object_kind::host;
    }
    static object_key parent_of(const object_key& key) {
        return {object_kind::subsystem, key.name, {}};
    }

    /// The file's order, then what only REST has; parents before children.
    [[nodiscard]] std::vector<object_key> all_keys() const {
        std::vector<object_key> out;
        std::set<object_key> seen;
        for (const config_objects* side : {&file_, &rest_, &base_})
            for (const object_key& key : side->order)
                if (seen.insert(key).second) out.push_back(key);
        std::stable_partition(out.begin(), out.end(),
                              [](const object_key& key) { return !is_child(key); });
        return out;
    }

    void conflict(const object_key& key, const std::string& field, std::string base,
                  std::string file, std::string rest, std::string remedy, bool can_force = true) {
        out_.conflicts.push_back({key, field, std::move(base), std::move(file), std::move(rest),
                                  std::move(remedy), can_force});
    }
    void note(merge_note::kind what, const object_key& key, const std::string& field = {}) {
        out_.notes.push_back({what, key, field});
    }

    void keep(const object_key& key, object_fields fields, bool from_file) {
        merged_.emplace(key, decided{std::move(fields), from_file});
    }

    void decide(const object_key& key) {
        const object_fields* const base =
            without_history_.contains(parent_of(key)) && is_child(key) ? nullptr : base_.find(key);
        const object_fields* const file = file_.find(key);
        const object_fields* const rest = rest_.find(key);
        if (is_child(key) && !merged_.contains(parent_of(key))) return;  // decided with its parent
        if (file != nullptr && rest != nullptr) return merge_fields(key, base, *file, *rest);
        if (rest != nullptr) return lacking_in_file(key, base, *rest);
        if (file != nullptr) return lacking_in_rest(key, base, *file);
    }

    /// The file has it no more, or has never had it.
    void lacking_in_file(const object_key& key, const object_fields* base,
                         const object_fields& rest) {
        if (base == nullptr || !file_made_.contains(key)) {  // REST has made it
            if (rules_.prune) return note(merge_note::kind::pruned, key);
            note(merge_note::kind::made, key);
            return keep(key, rest, false);
        }
        const std::string changed = changed_by_rest(key, *base, rest);
        if (changed.empty()) return;  // gone
        if (rules_.force) return note(merge_note::kind::overruled, key, changed);
        conflict(key, {}, present, absent, altered + ": " + changed,
                 "put it back into the file as it is now (GET /v1/config), or reload with force to "
                 "remove it");
        keep(key, rest, true);
    }

    /// REST has removed it, or the file has added it.
    void lacking_in_rest(const object_key& key, const object_fields* base,
                         const object_fields& file) {
        if (base == nullptr) return keep(key, file, true);
        const std::string changed = changed_by_file(key, *base, file);
        if (changed.empty()) return note(merge_note::kind::removed, key);
        if (!rules_.force)
            conflict(key, {}, present, altered + ": " + changed, absent,
                     "take it out of the file, or reload with force to make it again");
        else
            note(merge_note::kind::overruled, key);
        without_history_.insert(key);  // what it has comes with it
        keep(key, file, true);
    }

    void merge_fields(const object_key& key, const object_fields* base, const object_fields& file,
                      const object_fields& rest) {
        std::set<std::string> names;
        for (const object_fields* side : {base, &file, &rest})
            if (side != nullptr)
                for (const auto& [name, value] : *side) names.insert(name);
        object_fields fields;
        for (const std::string& name : names)
            if (const ordered_json* value = merge_field(key, name, base, file, rest))
                fields.emplace(name, *value);
        // Both have added it: from now on the file says that it is there.
        keep(key, std::move(fields), base == nullptr || file_made_.contains(key));
    }

    const ordered_json* merge_field(const object_key& key, const std::string& name,
                                    const object_fields* base, const object_fields& file,
                                    const object_fields& rest) {
        const ordered_json* const was = member(base, name);
        const ordered_json* const wanted = member(&file, name);
        const ordered_json* const now = member(&rest, name);
        if (same(wanted, now)) return now;
        if (is_identity(key, name) && is_open(key, name, wanted)) return now;
        if (base != nullptr && same(was, now)) return wanted;
        if (base != nullptr && same(was, wanted)) {
            note(merge_note::kind::changed, key, name);
            return now;
        }
        if (is_open(key, name, wanted)) return now;
        if (is_open(key, name, now)) return wanted;
        if (rules_.force) {
            note(merge_note::kind::overruled, key, name);
            return wanted;
        }
        if (is_smaller(key, name, wanted, now)) {
            conflict(key, name, shown(was), shown(wanted), shown(now),
                     how_to_shrink(key, now, wanted), false);
            return now;
        }
        conflict(key, name, shown(was), shown(wanted), shown(now),
                 fmt::format("write {} into the file to keep it, or reload with force to have {}",
                             shown(now), shown(wanted)));
        return now;
    }

    /// What REST has changed in it or below it, for people; empty: nothing that has to stay.
    std::string changed_by_rest(const object_key& key, const object_fields& base,
                                const object_fields& rest) {
        for (const auto& [name, value] : rest)
            if (!same(member(&base, name), &value)) return name;
        if (key.kind != object_kind::subsystem) return {};
        for (const object_key& child : children_of(key, rest_)) {
            const object_fields* const before = base_.find(child);
            const bool made = before == nullptr || !file_made_.contains(child);
            if (made && rules_.prune) continue;
            if (made) return child.text() + " was added";
            if (*before != *rest_.find(child)) return child.text();
        }
        return {};
    }

    std::string changed_by_file(const object_key& key, const object_fields& base,
                                const object_fields& file) {
        for (const auto& [name, value] : file)
            if (!same(member(&base, name), &value) && !is_open(key, name, &value)) return name;
        if (key.kind != object_kind::subsystem) return {};
        for (const object_key& child : children_of(key, file_)) {
            const object_fields* const before = base_.find(child);
            if (before == nullptr) return child.text() + " was added";
            if (*before != *file_.find(child)) return child.text();
        }
        return {};
    }

    static std::vector<object_key> children_of(const object_key& parent,
                                               const config_objects& side) {
        std::vector<object_key> out;
        for (const object_key& key : side.order)
            if (is_child(key) && key.name == parent.name) out.push_back(key);
        return out;
    }

    /// A smaller size is nobody's to decide but a request's for just that.
    void find_shrunken() {
        for (auto& [key, object] : merged_) {
            const object_fields* const rest = rest_.find(key);
            if (key.kind != object_kind::device || rest == nullptr) continue;
            const auto is = [rest, &fields = object.fields](const char* name) {
                return same(member(&fields, name), member(rest, name));
            };
            if (!is("type") || !is("path") || !is("address")) continue;  // another storage
            const ordered_json* const size = member(&object.fields, "size");
            const ordered_json* const now = member(rest, "size");
            if (!is_smaller(key, "size", size, now)) continue;
            conflict(key, "size", shown(member(base_.find(key), "size")), shown(size), shown(now),
                     how_to_shrink(key, now, size), false);
        }
    }

    /// What one side removes while the other begins to use it.
    void find_dangling() {
        std::map<std::string, object_key> users;
        for (const auto& [key, object] : merged_) {
            find_lost_group(key, object);
            const ordered_json* const device = member(&object.fields, "device");
            if (key.kind != object_kind::name_space || device == nullptr) continue;
            const auto name = device->get<std::string>();
            if (!merged_.contains({object_kind::device, name, {}}))
                conflict(
                    {object_kind::device, name, {}}, {}, present, word_of(file_, name),
                    word_of(rest_, name),
                    fmt::format("{} stands on it: keep it in the file, or remove that", key.text()),
                    false);
            const auto [first, fresh] = users.emplace(name, key);
            if (!fresh)
                conflict(key, "device", absent, device->dump(), device->dump(),
                         fmt::format("{} stands on that device already: give one of them another",
                                     first->second.text()),
                         false);
        }
    }
    /// An ANA group that one side has removed while the other put a namespace into it.
    void find_lost_group(const object_key& key, const decided& object) {
        const ordered_json* const group = member(&object.fields, "ana_group");
        if (key.kind != object_kind::name_space || group == nullptr || *group == 0) return;
        const ordered_json* const all = member(&merged_.at(parent_of(key)).fields, "ana_groups");
        if (all != nullptr && std::any_of(all->begin(), all->end(), [&](const ordered_json& one) {
                return one.at("id") == *group;
            }))
            return;
        conflict(key, "ana_group", absent, shown(member(file_.find(key), "ana_group")),
                 shown(member(rest_.find(key), "ana_group")),
                 "keep that group in the file, or move the namespace out of it first", false);
    }
    static std::string word_of(const config_objects& side, const std::string& device) {
        return side.find({object_kind::device, device, {}}) != nullptr ? present : absent;
    }

    template <typename Spec>
    void put(const object_key& key, const result<Spec>& made, std::vector<Spec>& into) {
        if (made) return into.push_back(*made);
        conflict(key, made.error().where, absent, absent, absent,
                 fmt::format("what the file and REST have changed in it does not go together: {}",
                             made.error().text()),
                 false);
    }

    void assemble() {
        core::target_spec& spec = out_.spec;
        for (const object_key& key : all_keys()) {
            const auto found = merged_.find(key);
            if (found == merged_.end()) continue;
            const object_fields& fields = found->second.fields;
            if (found->second.from_file) out_.file_made.insert(key);
            switch (key.kind) {
                case object_kind::listener: put(key, listener_of(fields), spec.listeners); break;
                case object_kind::device: put(key, device_of(fields), spec.devices); break;
                case object_kind::referral: put(key, referral_of(fields), spec.referrals); break;
                case object_kind::subsystem:
                    at_[key.name] = spec.subsystems.size();
                    put(key, subsystem_of(fields), spec.subsystems);
                    break;
                case object_kind::host: parent(key).hosts.push_back(key.part); break;
                case object_kind::name_space:
                    put(key, namespace_of(fields), parent(key).namespaces);
                    break;
            }
        }
    }
    core::subsystem_spec& parent(const object_key& key) {
        const std::size_t at = at_.at(key.name);
        return at < out_.spec.subsystems.size() ? out_.spec.subsystems[at] : nowhere_;
    }

    config_objects base_;
    config_objects file_;
    config_objects rest_;
    const file_made_set& file_made_;
    merge_rules rules_;
    std::map<object_key, decided> merged_;
    std::set<object_key> without_history_;
    std::map<std::string, std::size_t> at_;
    core::subsystem_spec nowhere_;
    merge_result out_;
};

}  // namespace

std::string merge_conflict::text() const {
    const std::string what = field.empty() ? object.text() : object.text() + ", " + field;
    return fmt::format("{}: the file says {}, what is configured is {}, and it was {}", what, file,
                       configured, base);
}

std::string merge_note::text() const {
    const std::string name = object.text();
    switch (what) {
        case kind::made:
            return name +
                   " is not in the file and was made over REST: it stays (--prune removes it)";
        case kind::changed:
            return fmt::format("{}: {} was changed over REST and stays", name, field);
        case kind::removed:
            return name + " is in the file and was removed over REST: it stays removed";
        case kind::pruned: return name + " was made over REST and goes, since the file lacks it";
        case kind::overruled:
            return fmt::format("{}{}{}: the file has its way over REST", name,
                               field.empty() ? "" : ", ", field);
    }
    return name;
}

bool merge_result::drops() const noexcept {
    return std::any_of(notes.begin(), notes.end(), [](const merge_note& one) {
        return one.what == merge_note::kind::pruned || one.what == merge_note::kind::overruled;
    });
}

merge_result merge(const merge_sides& sides, merge_rules rules) {
    return merger(sides, rules).run();
}

const core::target_spec& ancestor_of(const core::target_spec& file, const core::target_spec& read,
                                     const core::target_spec& written) {
    const config_objects now = objects_of(file);
    const config_objects theirs = objects_of(read);
    const config_objects ours = objects_of(written);
    bool like_read = false;
    const auto judge = [&](const ordered_json* in_file, const ordered_json* in_read,
                           const ordered_json* in_written) {
        if (same(in_read, in_written)) return false;
        if (same(in_file, in_written)) return true;
        like_read = like_read || same(in_file, in_read);
        return false;
    };
    const ordered_json there = true;
    std::set<object_key> keys;
    for (const config_objects* side : {&theirs, &ours})
        keys.insert(side->order.begin(), side->order.end());
    for (const object_key& key : keys) {
        const object_fields* const f = now.find(key);
        const object_fields* const r = theirs.find(key);
        const object_fields* const w = ours.find(key);
        const auto is = [&there](const object_fields* side) {
            return side != nullptr ? &there : nullptr;
        };
        if (judge(is(f), is(r), is(w))) return written;
        if (f == nullptr || r == nullptr || w == nullptr) continue;
        for (const auto& [name, value] : *w)
            if (judge(member(f, name), member(r, name), &value)) return written;
    }
    return like_read ? read : written;
}

core::target_spec resolved_paths(core::target_spec spec, const std::string& folder) {
    for (core::device_spec& device : spec.devices)
        for (const auto path : core::device_paths)
            device.*path = resolve_path(device.*path, folder);
    return spec;
}

core::target_spec paths_as_written(core::target_spec spec, const std::string& folder,
                                   std::initializer_list<const core::target_spec*> sides) {
    std::map<std::string, core::device_spec*> devices;
    for (core::device_spec& device : spec.devices) devices.emplace(device.name, &device);
    for (const core::target_spec* side : sides)
        for (const core::device_spec& theirs : side->devices)
            if (const auto found = devices.find(theirs.name); found != devices.end())
                for (const auto path : core::device_paths)
                    if (resolve_path(theirs.*path, folder) == found->second->*path)
                        found->second->*path = theirs.*path;
    return spec;
}

file_made_set all_objects(const core::target_spec& spec) {
    const config_objects all = objects_of(spec);
    return {all.order.begin(), all.order.end()};
}

}  // namespace fulmar::admin
