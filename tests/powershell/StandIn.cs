// A registry to play Windows with: a tree in memory behind the drive HKLM:, and the one list
// of everything a script did.
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Provider;

namespace StandIn
{
    public static class World
    {
        public static readonly List<string> Calls = new List<string>();
        public static RegistryKey Machine = new RegistryKey("");
        // A key below which nothing can be written, as a policy or damage would have it.
        public static string Locked = "";

        public static void Reset()
        {
            Calls.Clear();
            Machine = new RegistryKey("");
            Locked = "";
        }
    }

    public class RegistryKey
    {
        public readonly string Name;
        public readonly SortedDictionary<string, RegistryKey> Keys =
            new SortedDictionary<string, RegistryKey>(StringComparer.OrdinalIgnoreCase);
        public readonly SortedDictionary<string, object> Values =
            new SortedDictionary<string, object>(StringComparer.OrdinalIgnoreCase);

        public RegistryKey(string name) { Name = name; }

        public string[] GetValueNames() { return Values.Keys.ToArray(); }
        public string[] GetSubKeyNames() { return Keys.Keys.ToArray(); }
        public object GetValue(string name)
        {
            object value;
            return Values.TryGetValue(name, out value) ? value : null;
        }

        public RegistryKey Find(string path, bool make)
        {
            RegistryKey key = this;
            foreach (string part in path.Split(new[] { '\\' }, StringSplitOptions.RemoveEmptyEntries))
            {
                RegistryKey next;
                if (!key.Keys.TryGetValue(part, out next))
                {
                    if (!make) { return null; }
                    next = new RegistryKey(part);
                    key.Keys[part] = next;
                }
                key = next;
            }
            return key;
        }

        public IEnumerable<string> Lines(string path)
        {
            foreach (KeyValuePair<string, object> value in Values)
            {
                yield return path + "\\" + value.Key + " = " + value.Value;
            }
            foreach (KeyValuePair<string, RegistryKey> key in Keys)
            {
                foreach (string line in key.Value.Lines(path + "\\" + key.Key)) { yield return line; }
            }
        }
    }

    [CmdletProvider("StandInRegistry", ProviderCapabilities.ShouldProcess)]
    public class RegistryProvider : NavigationCmdletProvider, IPropertyCmdletProvider, IDynamicPropertyCmdletProvider
    {
        private static string Clean(string path)
        {
            string clean = path.Replace('/', '\\').Trim('\\');
            return clean.StartsWith("HKLM:", StringComparison.OrdinalIgnoreCase) ? clean.Substring(5).Trim('\\') : clean;
        }

        private RegistryKey Key(string path)
        {
            RegistryKey key = World.Machine.Find(Clean(path), false);
            if (key == null)
            {
                WriteError(new ErrorRecord(new ItemNotFoundException("There is no registry key " + path + "."),
                    "PathNotFound", ErrorCategory.ObjectNotFound, path));
            }
            return key;
        }

        private bool Refused(string path)
        {
            if (World.Locked == "" || !Clean(path).StartsWith(World.Locked, StringComparison.OrdinalIgnoreCase))
            {
                return false;
            }
            WriteError(new ErrorRecord(new UnauthorizedAccessException("Access to the registry key " + path + " is denied."),
                "Denied", ErrorCategory.PermissionDenied, path));
            return true;
        }

        private static void Record(string text) { World.Calls.Add("registry: " + text); }

        protected override bool IsValidPath(string path) { return true; }
        protected override bool ItemExists(string path) { return World.Machine.Find(Clean(path), false) != null; }
        protected override bool IsItemContainer(string path) { return ItemExists(path); }
        protected override bool HasChildItems(string path)
        {
            RegistryKey key = World.Machine.Find(Clean(path), false);
            return key != null && key.Keys.Count > 0;
        }

        protected override void GetItem(string path)
        {
            RegistryKey key = Key(path);
            if (key != null) { WriteItemObject(key, path, true); }
        }

        protected override void GetChildItems(string path, bool recurse)
        {
            RegistryKey key = Key(path);
            if (key == null) { return; }
            foreach (RegistryKey child in key.Keys.Values) { WriteItemObject(child, path + "\\" + child.Name, true); }
        }

        protected override void NewItem(string path, string type, object value)
        {
            if (Refused(path)) { return; }
            Record("make " + Clean(path));
            WriteItemObject(World.Machine.Find(Clean(path), true), path, true);
        }

        protected override void RemoveItem(string path, bool recurse)
        {
            string clean = Clean(path);
            int cut = clean.LastIndexOf('\\');
            RegistryKey parent = World.Machine.Find(cut < 0 ? "" : clean.Substring(0, cut), false);
            if (parent != null && !Refused(path) && parent.Keys.Remove(clean.Substring(cut + 1))) { Record("remove " + clean); }
        }

        public void GetProperty(string path, Collection<string> names)
        {
            RegistryKey key = Key(path);
            if (key == null) { return; }
            PSObject found = new PSObject();
            foreach (KeyValuePair<string, object> value in key.Values)
            {
                if (names == null || names.Count == 0 || Matches(names, value.Key))
                {
                    found.Properties.Add(new PSNoteProperty(value.Key, value.Value));
                }
            }
            if (names != null && names.Count > 0 && !found.Properties.Any())
            {
                Missing(path, names[0]);
                return;
            }
            WritePropertyObject(found, path);
        }

        private static bool Matches(IEnumerable<string> patterns, string name)
        {
            return patterns.Any(pattern => new WildcardPattern(pattern, WildcardOptions.IgnoreCase).IsMatch(name));
        }

        private void Missing(string path, string name)
        {
            WriteError(new ErrorRecord(new PSArgumentException("There is no value " + name + " in " + path + "."),
                "ValueNotFound", ErrorCategory.InvalidArgument, path));
        }

        private void Put(string path, string name, object value)
        {
            RegistryKey key = Key(path);
            if (key == null || Refused(path)) { return; }
            PSObject wrapped = value as PSObject;
            object plain = wrapped == null ? value : wrapped.BaseObject;
            key.Values[name] = plain;
            Record("set " + Clean(path) + "\\" + name + " = " + plain);
        }

        public void SetProperty(string path, PSObject values)
        {
            foreach (PSPropertyInfo property in values.Properties) { Put(path, property.Name, property.Value); }
        }

        public void NewProperty(string path, string name, string type, object value) { Put(path, name, value); }

        public void RemoveProperty(string path, string name)
        {
            RegistryKey key = Key(path);
            if (key == null || Refused(path)) { return; }
            string[] found = key.Values.Keys.Where(item => Matches(new[] { name }, item)).ToArray();
            if (found.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(name)) { Missing(path, name); }
            foreach (string item in found)
            {
                key.Values.Remove(item);
                Record("remove " + Clean(path) + "\\" + item);
            }
        }

        public void ClearProperty(string path, Collection<string> names) { throw new NotSupportedException(); }
        public void CopyProperty(string a, string b, string c, string d) { throw new NotSupportedException(); }
        public void MoveProperty(string a, string b, string c, string d) { throw new NotSupportedException(); }
        public void RenameProperty(string a, string b, string c) { throw new NotSupportedException(); }
        public object GetPropertyDynamicParameters(string path, Collection<string> names) { return null; }
        public object SetPropertyDynamicParameters(string path, PSObject values) { return null; }
        public object ClearPropertyDynamicParameters(string path, Collection<string> names) { return null; }
        public object NewPropertyDynamicParameters(string path, string name, string type, object value) { return null; }
        public object RemovePropertyDynamicParameters(string path, string name) { return null; }
        public object CopyPropertyDynamicParameters(string a, string b, string c, string d) { return null; }
        public object MovePropertyDynamicParameters(string a, string b, string c, string d) { return null; }
        public object RenamePropertyDynamicParameters(string a, string b, string c) { return null; }
    }
}
